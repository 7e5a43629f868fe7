/**
 * What an account may use, and how long what is over is kept. Null: as much, or as long, as there is room for. Months are those of
 * the calendar, in UTC.
 */
export interface Limits {
  /** Flow runs made in a month. */
  flow_runs: number | null
  /** Bytes of log lines in a month. */
  log_bytes: number | null
  /** Days after its end that a flow run is kept, with its task runs, logs and artifacts. */
  flow_run_days: number | null
  /** Days after their arrival that events and log lines are kept. */
  event_days: number
  log_days: number
  /** The same for entries of the audit log. */
  audit_days: number
}

/** All plans. Days of events are Prefect's own default; logs are read when somebody asks what went wrong last month. */
export const PLANS = {
  /** Whoever runs the service pays for it. A D1 holds 10 GB, so that runs go after a year. */
  self_hosted: {
    flow_runs: null,
    log_bytes: null,
    flow_run_days: 365,
    event_days: 7,
    log_days: 30,
    audit_days: 365,
  },
  free: {
    flow_runs: 10_000,
    log_bytes: 1_000_000_000,
    flow_run_days: 14,
    event_days: 7,
    log_days: 14,
    audit_days: 30,
  },
  team: {
    flow_runs: 1_000_000,
    log_bytes: 100_000_000_000,
    flow_run_days: 90,
    event_days: 30,
    log_days: 90,
    audit_days: 365,
  },
} as const satisfies Record<string, Limits>

export type PlanName = keyof typeof PLANS
export const PLAN_NAMES = ['self_hosted', 'free', 'team'] as const satisfies readonly PlanName[]

/** What differs from a plan. */
export type LimitsChange = { [K in keyof Limits]?: Limits[K] | undefined }

/** A plan and what differs from it. */
export interface PlanChoice {
  plan: PlanName | null
  limits: LimitsChange | null
}

export interface Plan {
  plan: PlanName
  limits: Limits
}

/**
 * What holds for an account: its own plan with its own limits, or else those of the service.
 * @param own what is stored with the account
 * @param service what whoever runs the service has set
 */
export function planOf(own: PlanChoice, service: PlanChoice): Plan {
  const plan = own.plan ?? service.plan ?? 'self_hosted'
  // Another plan than the service's has its own figures, which those of the service are not about.
  const general = own.plan === null || own.plan === service.plan ? service.limits : null
  return { plan, limits: { ...PLANS[plan], ...given(general), ...given(own.limits) } }
}

function given(limits: LimitsChange | null): Partial<Limits> {
  return Object.fromEntries(Object.entries(limits ?? {}).filter(([, value]) => value !== undefined))
}
