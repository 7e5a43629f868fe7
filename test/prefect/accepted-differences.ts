export interface AcceptedDifference {
  /** Fits the lines of a comparison that it explains. */
  where: RegExp
  /** As it stands in docs/compatibility.md, where one reason may explain several. */
  reason: string
  /** Prefect's server does not always do so: a matter of moments. */
  sometimes?: boolean
}

const NULL_IS_ABSENT = 'Null is taken for a field that is absent, also where Prefect refuses it.'
const UNKNOWN_KEYS =
  'Every body refuses fields that it does not know. Prefect ignores them at the top of a filter, where a misspelt `flow_runs` would then select everything.'
const NAMES =
  'Names of things that requests make have 1 to 255 characters and none of `/ % & > <` everywhere; Prefect’s document does not say so, and its server refuses some of them by failing.'
const LIMITS =
  'Limits that Prefect’s server keeps without saying so in its document stand in ours (pages of at most 200, tags of at most 100 related resources, texts of a cron).'
const CLOUD_FIELDS =
  'Fields that Cloud-aware clients send (`branch`, `base`, `root`, `version_info`, `worker_id`, `metadata`, `return_id`, `work_pool_id` of a heartbeat, `id` and `timestamp` of a state) are taken and not used.'
const RETIRED =
  'Retired fields (`filter` of a queue, the `infrastructure_document_id` of a run) may be null and say nothing; a value is refused, as it would do nothing.'
const ONE_LIMIT =
  'A deployment has a limit of its own, kept where its runs are: `concurrency_limit`. One global limit can’t be shared by several deployments (`global_concurrency_limit_id`).'
const POLICY = 'Numbers of retries and delays are not negative.'
const OWN_FIELDS = 'A few fields and parameters are Headgate’s own; a client need not send them.'
const FORMATS =
  'Some ids in paths are described as text: one that is no id is not found, as with Prefect.'
const NO_CSRF = 'There is no CSRF protection: `/csrf-token` says so, which clients understand.'
const NEGLIGIBLE = 'The two documents say the same in different words.'
const NO_QUEUE_TEXT =
  'The value of a variable and of an artifact may be any JSON; Prefect’s document lists the kinds.'

/** What our OpenAPI document says otherwise than Prefect's, each with its reason. */
export const DOCUMENT_DIFFERENCES: AcceptedDifference[] = [
  { where: /takes no other field$/, reason: UNKNOWN_KEYS },
  { where: /(Create|Update|body)\.\w+: may be null$/, reason: NULL_IS_ABSENT },
  {
    where:
      /(name|queue_name|pool_name|WorkPoolCreate\.type|idempotency_key|key|slug): (minLength|maxLength|pattern) /,
    reason: NAMES,
  },
  { where: /body\.(limit|offset|page): (minimum|maximum) /, reason: LIMITS },
  {
    where:
      /(max_scheduled_runs|rrule|event|related|capabilities|history_interval_seconds|heartbeat_interval_seconds|cache_key|prefix|query|code_example|description|\w+_url|capabilities\[\]|version|body\.value): (max|min|exclusiveMin)\w+ /,
    reason: LIMITS,
  },
  {
    where:
      /(branch|base|root|worker_id|metadata|return_id|work_pool_id|StateCreate\.(id|timestamp)): is ours only$|^VersionInfo: is anything$/,
    reason: CLOUD_FIELDS,
  },
  {
    where:
      /(filter|QueueFilter|storage_document_id|infrastructure_document_id): (is null|may not be null|is not there)/,
    reason: RETIRED,
  },
  {
    where: /(global_concurrency_limit_id|DeploymentResponse\.concurrency_limit): /,
    reason: ONE_LIMIT,
  },
  { where: /^FlowRunPolicy\.\w+: minimum 0/, reason: POLICY },
  {
    where:
      /(infrastructure_retries|missed_runs|concurrency_key|max_waiting_runs|start_within_seconds|signature|start_before|query format|body\.work_pools|body\.work_queues|block_schema_type|\.secret|include_secrets): is ours only$/,
    reason: OWN_FIELDS,
  },
  { where: / path \w+: format none, not uuid$/, reason: FORMATS },
  { where: /^GET \/csrf-token /, reason: NO_CSRF },
  {
    where:
      /labels\.\*: |retry_delay: is |\.type: is required$|input_type: is required$|-Output\.\w+: may be (string|anything)$|match_related: is array|include_secrets: is string|(version|query): may not be null$|format (none|duration), not|(interval|schedule_after): (exclusiveM|m)inimum none|payload: may be anything|^DeploymentStatus: |^Countable: |answers: no 200$|x-prefect-ui: is not there$|^RRuleSchedule\.timezone: pattern none/,
    reason: NEGLIGIBLE,
  },
  { where: /^(Variable|Artifact)\w*\.(value|data): is anything$/, reason: NO_QUEUE_TEXT },
]

/** What Headgate answers otherwise than the real server does, each with its reason. */
export const ANSWER_DIFFERENCES: AcceptedDifference[] = [
  {
    where: /state_details\.\w+: absent, not (null|false)$/,
    reason:
      'Fields of `state_details` that hold nothing are left out: they would be most of a stored state. Prefect’s client fills them in.',
  },
  {
    where:
      /\.(infrastructure_retries|concurrency_key|max_waiting_runs|start_within_seconds|signature|start_before|missed_runs): null, not absent$/,
    reason: OWN_FIELDS,
  },
  { where: /work_pool_(name|id): "[^"]*", not absent$/, reason: OWN_FIELDS },
  {
    where:
      /(created|updated)_by: \{"display_value":"[^"]*","id":"#[^"]*","type":"API_KEY"\}, not null$/,
    reason:
      'Who made a thing is known, since every caller has a key; Prefect’s own server knows no callers.',
  },
  {
    where: /body\.(\S*\.)?(detail|exception_message|reason|error): /,
    reason:
      'The sentences that say why something is refused are Headgate’s own, under `detail`; statuses and shapes are Prefect’s.',
  },
  {
    where: /body\.fields(\.\d+)?: /,
    reason:
      'Which fields are refused is told more exactly where a template, a trigger or a lease is wrong, and once where the whole body is of a wrong kind; Prefect then lists every field that it misses.',
  },
  {
    where: /status: (404|409|422|20\d), not 50[03] /,
    reason: 'Where Prefect’s server fails (500, or 503 of a busy SQLite) Headgate answers.',
  },
  {
    where:
      /> status: 422, not 20[01] .*"Input should (be a valid number|not contain any)|string_too_short/,
    reason:
      'A number is a number and a name has a character: texts are not read as numbers, and names may not be empty.',
  },
  { where: /"Input should not contain any of \/ % & > <"/, reason: NAMES },
  {
    where:
      /> status: 20[014], not (409|422) .*("Input should be a valid (dictionary|list)|model_attributes_type|Data integrity conflict)/,
    reason: NULL_IS_ABSENT,
  },
  {
    where:
      /> status: (20[01], not 422 .*"loc":\["body","(branch|state","id)"\]|40[49], not 422 .*"version_info"\])/,
    reason: CLOUD_FIELDS,
  },
  { where: /> status: 422, not (20[01]|409) .*"extra_forbidden"/, reason: UNKNOWN_KEYS },
  { where: /\.filter: absent, not null$/, reason: RETIRED },
  {
    where: /> status: 422, not 201 \(\{"detail":"Work queue 'no pool' needs a work pool/,
    reason:
      'A deployment that names a queue names its pool, too: there is no pool of agents that a queue alone would belong to.',
  },
  {
    where: /> status: 404, not (200|405|409) .*(not found|Not Found)/,
    reason:
      'What is not there is a 404 also where Prefect answers otherwise: an unknown flow of a run (409), dates of an unknown deployment (200), `DELETE /flows/filter` (405).',
  },
  {
    where:
      /^changes of deployments > \d+ PATCH \S+ > (status: 409, not 204|body\.job_variables\.size: )/,
    reason:
      'Job variables of a deployment are checked against its pool whenever they change; Prefect does so only when the change names the pool.',
  },
  {
    where: /body\.(work_queue_name|flow_run\.work_queue_name): null, not "/,
    reason:
      'A queue’s name goes from runs and deployments with the queue or the pool; Prefect keeps a name that leads nowhere.',
  },
  {
    where: /labels\.\S+: absent, not "/,
    reason:
      'Labels of the flow and its run are not copied to the task runs that a request makes (those of subflows and deferred tasks).',
  },
  {
    where: /job_variables: \{\}, not null$/,
    reason: 'No job variables are always `{}`.',
  },
  {
    where:
      /(base_job_template\.(variables|job_configuration): \{.*, not absent$|work pools > .*base_job_template)/,
    reason:
      'A pool of a known type that is made without a template has that type’s at once; Prefect’s worker adds it when it first starts.',
  },
  {
    where: /status: "PAUSED", not "NOT_READY"$/,
    reason: 'A queue that is made paused says so.',
  },
  {
    where: /(state_id|state\.id|body\.\d+\.id): "#(child|h_8|\d+)\.state\.id", not "/,
    reason:
      'The task run that stands for a subflow shows the subflow’s own states, with their ids.',
  },
  {
    where: /^dates of schedules > .*flow_run_id: "#/,
    reason: 'The states of runs that schedules make name their run, like all others.',
  },
  {
    where: /concurrency_options\.grace_period_seconds: absent, not null$/,
    reason: 'A grace period that was not given is left out.',
  },
  {
    where: /state\.message: "[^"]*", not null$/,
    reason: 'States that the server chooses say why: cancelled before it started, no slot.',
  },
  {
    where: /empirical_policy\.resuming: false, not true$/,
    reason: 'A run that goes on after a pause is no longer marked as resuming.',
  },
  {
    where: /^flow runs > .*body\.name: "renamed", not "<generated>"$/,
    reason: 'Null for the name of a run leaves its name; Prefect makes up another.',
  },
  {
    where: /\.data: \{"type":"unpersisted"\}, not null$/,
    reason: 'The data of a state are kept as they were sent.',
  },
  {
    where: /^task runs > \d+ POST \/task_runs\/ > status: 201, not (200|409) /,
    reason:
      'Task runs without a flow run are each their own, and one may be made before its flow run is known: both come by different ways.',
  },
  {
    where: /^(flow runs|runs of deployments) > .* status: 201, not 409 /,
    reason:
      'A run may name a parent task run that is not known yet: task runs are reported by events, which may come later.',
  },
  {
    where: /^workers > .*(body: \[[\w ,]*\], not \[.*a\/b|status: 422, not 204)/,
    reason: NAMES,
  },
  {
    where:
      /block(_type|s| types| schemas)?.*(created|updated): "2025-01-01T00:00:00.000Z", not "<time>"$/,
    reason: 'The block types that every workspace has were all made on one day.',
  },
  {
    where: /^what every server has of blocks > .*capabilities\.\d+: /,
    sometimes: true,
    reason: 'Capabilities of a block are a set, listed in order.',
  },
  {
    where: /^events > .*(next_page: |status: 200, not 422 )/,
    reason:
      'A page of events has 1 to 50; other sizes are brought to the nearest. The token of the next page is opaque.',
  },
  {
    where: /^global concurrency limits > \d+ GET .*active_slots: 1, not 0$/,
    reason: 'Slots that a lease holds are released by the lease, not by a plain decrement.',
  },
  {
    where: /^saved searches and the rest > \d+ PUT .*status: 201, not 200/,
    sometimes: true,
    reason: 'A saved search that is new is a 201, one that was there a 200.',
  },
  {
    where: /body\.labels: \{\}, not null$/,
    reason: 'No labels are always `{}`.',
  },
  {
    where:
      /^flow runs > .*(labels\.prefect\.deployment\.id: "|PATCH \S+\/labels > status: 422, not 204)/,
    reason:
      'Labels of a run name its deployment also when that is gone, and are texts, numbers and booleans only.',
  },
  {
    where: /^lists of (flows|deployments) > \d+ POST \/(flows|deployments)\/filter > body: \[/,
    reason:
      'Filters mean what they say: `%` in `like_` is a character, a deployment’s `concurrency_limit` selects, and a deployment that names only its pool is found by its queue, `default`.',
  },
  {
    where: /^lists of (flow|task) runs > .* > body: \[[\w, ]*\], not \[/,
    reason:
      'A filter by who made a run knows the callers with keys; `or_` between a list of flow runs and `is_null_` is a choice.',
  },
  {
    where: /^deployments > .*body\.parameters\.n: 1, not absent$/,
    reason:
      'A deployment that is made again keeps the fields that the request leaves out, its parameters too; Prefect’s client sends them always.',
  },
  {
    where: /^changes of deployments > .*work_pool_name: "pool 1", not "default-agent-pool"$/,
    reason: 'A change that names only a queue means the queue of the deployment’s own pool.',
  },
  {
    where: /^runs of deployments > .*(get_scheduled_flow_runs > body: |work_queue_check > body: )/,
    reason:
      'The check of a deployment’s queues, which Prefect has retired, answers with the queue that its runs go to.',
  },
  {
    where: /schedule\.(rrule: "|timezone: "UTC", not null)/,
    reason:
      'A recurrence rule is answered as it was sent, with its time zone; Prefect puts a DTSTART before it. The dates are the same.',
  },
  {
    where: /^changes of one schedule > .*parameters\.x: 1, not absent$/,
    reason: 'A change of a schedule that names no parameters leaves them; Prefect empties them.',
  },
  {
    where: /^work for workers > .*(last_polled: null|status: "NOT_READY"), not /,
    reason: 'A deployment whose pool has been deleted is not ready.',
  },
  {
    where: /(run_count: 0, not 1|resuming: true, not false|retry_type: null, not "reschedule")$/,
    reason:
      'A run that was made in the state PAUSED, which no engine does, is counted when it first runs.',
  },
  {
    where: /state_details\.future_field: 1, not absent$/,
    reason: 'Fields of `state_details` that are not known are kept and read back.',
  },
  {
    where: /flow_run_states\/\S* > body: \[Pending, Running, , /,
    reason: NULL_IS_ABSENT,
  },
  {
    where: /^lists of task runs > \d+ POST \/task_runs\/paginate > .*, not absent$/,
    reason: OWN_FIELDS,
  },
  {
    where: /content-disposition: /,
    reason: 'The file of a run’s logs is named by its id.',
  },
  {
    where: /^many at once > \d+ POST \/flow_runs\/bulk_set_state > .*flow_run_id: "#/,
    sometimes: true,
    reason: 'Bulk changes answer with the newest run first; with Prefect the order is by chance.',
  },
  {
    where: /^actions > .*"loc":\["body","actions",0,"type"\]/,
    reason: 'An action of an automation says its type; Prefect takes one without for `do-nothing`.',
  },
]
