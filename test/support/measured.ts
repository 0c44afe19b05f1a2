// Every metric that a running issuer and a running guard tell Prometheus. test/cli/management.test.ts holds these lists
// against the processes, whatever names a metric against these lists. The exporter puts no unit into a name.

const PROCESS = ["process_cpu_time_total", "process_memory_usage", "nodejs_eventloop_delay_p99"]

export const MEASURED_BY_ISSUER: readonly string[] = [
  ...PROCESS,
  "http_server_request_duration",
  "taskmint_alarms",
  "taskmint_alarms_raised_total",
  "taskmint_commit_duration",
  "taskmint_commits_waiting",
  "taskmint_connections_dropped_total",
  "taskmint_faults_total",
  "taskmint_feed_followers",
  "taskmint_key_age",
  "taskmint_ledger_entries_total",
  "taskmint_policy_refused",
  "taskmint_posture_findings",
  "taskmint_ready",
  "taskmint_tasks_live",
  "taskmint_tokens_live",
  "taskmint_verifier_drift",
  "taskmint_webhook_waiting",
  "taskmint_requests_running",
  "taskmint_requests_waiting",
]

export const MEASURED_BY_GUARD: readonly string[] = [
  ...PROCESS,
  "taskmint_check_duration",
  "taskmint_clock_skew",
  "taskmint_ledger_forked",
  "taskmint_revocations_age",
  "taskmint_spool_filled",
]

/** The families of a scrape, sorted; a histogram once. */
export const metricNames = (text: string): string[] =>
  [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = ""]) => name).sort()
