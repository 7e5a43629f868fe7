import type {
  AcceptResult,
  Claim,
  ClaimResult,
  Finish,
  FinishResult,
  RenewResult,
} from '../../core/wire/execution.ts'
import type { Evidence } from './evidence.ts'
import type { Exchange } from './faulty-proxy.ts'

export const isOfExecutions = (path: string) => /\/(claim|accept|renew|finish)$/.test(path)

type Heard = Pick<Evidence, 'claims' | 'lostClaims' | 'finishes' | 'renewals'>

/** What the proxies have heard agents and server say to each other. */
export function collect(exchanges: Exchange[]): Heard {
  const heard: Heard = { claims: [], lostClaims: [], finishes: [], renewals: [] }
  for (const exchange of exchanges) {
    const answer = exchange.answered?.status === 200 ? exchange.answered : undefined
    const request = JSON.parse(exchange.body) as unknown
    const result = answer === undefined ? undefined : (JSON.parse(answer.body) as unknown)
    const span = { from: exchange.sent, to: answer?.at ?? exchange.sent }
    switch (exchange.path.split('/').at(-1)) {
      case 'claim':
        if (result === undefined) {
          heard.lostClaims.push(exchange.sent)
        } else {
          const { runs } = result as ClaimResult
          heard.claims.push({
            ...span,
            agent: (request as Claim).agent.name,
            runs: runs.map(({ flow_run, fence }) => ({ id: flow_run.id, fence })),
          })
        }
        break
      case 'accept':
        noteRenewals(heard, result as AcceptResult | undefined, span.from)
        break
      case 'renew':
        noteRenewals(heard, result as RenewResult | undefined, span.from)
        break
      default:
        for (const { flow_run_id, fence } of (request as Finish).executions) {
          const ended = (result as FinishResult | undefined)?.results.find(
            (one) => one.flow_run_id === flow_run_id && one.fence === fence,
          )
          if (ended !== undefined) {
            heard.finishes.push({ run: flow_run_id, fence, at: span.to })
          }
        }
    }
  }
  return heard
}

/** Refused ones are none. */
function noteRenewals(heard: Heard, said: AcceptResult | RenewResult | undefined, sent: number) {
  for (const { flow_run_id, fence, answer } of said?.results ?? []) {
    if (answer !== 'stop') {
      heard.renewals.push({ run: flow_run_id, fence, sent })
    }
  }
}
