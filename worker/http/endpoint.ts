import { Hono, type Context } from 'hono'
import * as z from 'zod'
import type { Micros } from '#core/time.ts'
import { uuid } from '#core/wire/common.ts'
import type { TrailIn } from '#domain/audit.ts'
import type { Permission } from '#domain/permissions.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { refreshPresence } from '../operations/refresh-presence.ts'
import { trailOf } from './audit-trail.ts'
import { isAudited } from './audited-operations.ts'
import { identify, identifyHolder, Unauthorized, type Caller, type Identity } from './auth.ts'
import { DATA_AGE_HEADER, dataAge } from './data-age.ts'
import { parsePart, readBody } from './input.ts'
import { spendRequest, spendStranger } from './rate-limits.ts'
import { requireOperation } from './rights.ts'

export interface AppEnv {
  Bindings: Bindings
  Variables: {
    requestId: string
    /** The time of the request, read once. */
    now: Micros
    caller: Caller
    permissions: ReadonlySet<Permission>
    workspace: Workspace
  }
}
/** The routes, with what they declare of themselves. */
export class Api extends Hono<AppEnv> {
  readonly endpoints: DeclaredEndpoint[] = []

  constructor() {
    // Not strict: Prefect's client uses `/flows/` and `/flows` alike, and must not be redirected.
    super({ strict: false })
  }
}

type Answers = Record<number, z.ZodType | null>
type Answer<A extends Answers> = {
  [Status in keyof A & number]: A[Status] extends z.ZodType
    ? { status: Status; body: z.input<A[Status]>; headers?: Record<string, string> }
    : { status: Status; headers?: Record<string, string> }
}[keyof A & number]

/** An answer that is no JSON. */
interface RawAnswer {
  response: Response
}

type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined

export interface EndpointSpec<
  P extends z.ZodType | undefined,
  Q extends z.ZodType | undefined,
  B extends z.ZodType | undefined,
  A extends Answers,
> {
  method: 'get' | 'post' | 'patch' | 'put' | 'delete'
  /** As in OpenAPI: `/flows/{id}`. */
  path: string
  tag: string
  summary: string
  params?: P
  query?: Q
  body?: B
  /** The body may be missing; then it is taken as `{}`. Filters and counts allow that, as in Prefect. */
  bodyOptional?: boolean
  /** Status to the schema of its body; null is no body. */
  answers: A
  /** The media types of a success that is no JSON. */
  media?: readonly string[]
  /** The statuses of errors besides 401 and 422. */
  errors?: (400 | 402 | 403 | 404 | 409 | 413 | 426 | 503)[]
  /** Answered without a key; `caller`, `permissions` and `workspace` are not there to be read. */
  open?: boolean
  /** Answered to who holds a key, whichever workspace it opens: of all that is known of the caller, `caller` alone is there. */
  ofHolder?: boolean
  /** Served to a known key while D1 can't be asked: claims, renewals, states, logs and events. */
  survivesOutage?: boolean
  /** Its body may hold secrets: no error repeats it. */
  takesSecrets?: boolean
  /** Answered out of the store, where runs may lag behind their homes; the answer says by how much. */
  listsRuns?: boolean
  /** Its answer tells who serves a pool, a queue or a deployment. */
  tellsPresence?: boolean
}

export type DeclaredEndpoint = EndpointSpec<
  z.ZodType | undefined,
  z.ZodType | undefined,
  z.ZodType | undefined,
  Answers
>

export interface EndpointRequest<P, Q, B> {
  params: P
  query: Q
  body: B
  /** The body as it came; empty without one. */
  bodyText: string
  workspace: Workspace
  caller: Caller
  permissions: ReadonlySet<Permission>
  /** For the audit log, where the handle's trail is not the right one. */
  trailIn: TrailIn
  now: Micros
  context: Context<AppEnv>
}

/**
 * Adds a route: validated by the schemas that also describe it, its answers checked against theirs by the compiler.
 * A handler may return `{ response }`, which is sent as it is: a WebSocket, or text.
 */
export function endpoint<
  A extends Answers,
  P extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
  // Keeps the status of an answer a literal while `A` is being inferred.
  S extends number = number,
>(
  api: Api,
  spec: EndpointSpec<P, Q, B, A>,
  handle: (
    request: EndpointRequest<Parsed<P>, Parsed<Q>, Parsed<B>>,
  ) => Promise<(Answer<A> & { status: S }) | RawAnswer> | (Answer<A> & { status: S }) | RawAnswer,
): void {
  api.endpoints.push(spec)
  api.on(spec.method.toUpperCase(), toHonoPath(spec.path), async (context) => {
    if (spec.ofHolder === true) {
      const caller = await heard(context, identifyHolder(context))
      await spendRequest(context, spec, caller, undefined)
      context.set('caller', caller)
    } else if (spec.open !== true) {
      const identity = await heard(context, identify(context, spec.survivesOutage === true))
      await spendRequest(context, spec, identity.caller, identity.workspace)
      await requireOperation(
        identity,
        spec.method,
        spec.path,
        context.req.param(),
        context.get('now'),
      )
      context.set('caller', identity.caller)
      context.set('permissions', identity.permissions)
      context.set('workspace', withTrail(context, spec, identity))
    }
    const params = parsePart('path', spec.params, context.req.param()) as Parsed<P>
    const query = parsePart('query', spec.query, context.req.query()) as Parsed<Q>
    const sent =
      spec.body === undefined
        ? { text: '', value: undefined }
        : await readBody(context.req.raw, spec.bodyOptional === true)
    const isEchoed = spec.takesSecrets !== true
    const body = parsePart('body', spec.body, sent.value, isEchoed) as Parsed<B>
    if (spec.tellsPresence === true) {
      await refreshPresence(context.get('workspace'))
    }
    // Asked first, so that the answer is at most as old as it says.
    const age =
      spec.listsRuns === true
        ? dataAge(context.get('workspace'), context.get('now'))
        : Promise.resolve(undefined)
    const handled = await handle({
      params,
      query,
      body,
      bodyText: sent.text,
      workspace: context.get('workspace'),
      caller: context.get('caller'),
      permissions: context.get('permissions'),
      trailIn: (account_id, workspace_id) =>
        trailOf(context, spec, context.get('caller'), { account_id, workspace_id }),
      now: context.get('now'),
      context,
    })
    if ('response' in handled) {
      return handled.response
    }
    const answer: { status: number; body?: unknown; headers?: Record<string, string> } = handled
    const seconds = await age
    if (seconds !== undefined) {
      context.header(DATA_AGE_HEADER, seconds)
    }
    for (const [name, value] of Object.entries(answer.headers ?? {})) {
      context.header(name, value)
    }
    return answer.status === 204
      ? context.body(null, 204)
      : context.json(answer.body as never, answer.status as 200)
  })
}

/** The workspace's handle, by which what an audited operation changes is recorded. */
function withTrail(
  context: Context<AppEnv>,
  spec: Pick<DeclaredEndpoint, 'method' | 'path'>,
  { caller, workspace }: Identity,
): Workspace {
  if (!isAudited(spec.method, spec.path, caller.kind)) {
    return workspace
  }
  const { account_id, id } = workspace
  return { ...workspace, trail: trailOf(context, spec, caller, { account_id, workspace_id: id }) }
}

/** Who is nobody is counted to the network that it comes from, which after too many is told so. */
async function heard<T>(context: Context<AppEnv>, identified: Promise<T>): Promise<T> {
  try {
    return await identified
  } catch (error) {
    if (error instanceof Unauthorized) {
      spendStranger(context, 'request')
    }
    throw error
  }
}

/** `/flows/{id}` as Hono writes it; without a closing slash, which Hono leaves off the request's path as well. */
function toHonoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1').replace(/(?<=.)\/$/, '')
}

/** Path parameters that are ids: one that is no UUID is a 404, as in Prefect, since no such route would match. */
export const idParam = z.object({ id: uuid })
export const nameParam = z.object({ name: z.string() })
