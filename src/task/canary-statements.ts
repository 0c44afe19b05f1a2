// All SQL of canaries: their tasks, which have ended before they begin.
import { sql } from "../database/drizzle.ts"
import { named } from "../database/names.ts"

const p = sql.placeholder

/** Ended from the start, so that no way to a mint takes it for one that runs. */
export const insertCanaryTask = named(
  "task.insert_canary",
  { names: ["type", "agent", "instance", "orchestrator"], subject: "sub" },
  (
    name,
    subject,
  ) => sql`INSERT INTO task (task_id, type, agent, instance, orchestrator, subject, state, started_at,
      deadline, ended_at, reference, request_digest, policy, authority, purpose, inputs, jkt, key, iat_floor, behalf)
    VALUES (${p("task_id")}, ${name("type")}, ${name("agent")}, ${name("instance")}, ${name("orchestrator")},
      ${subject("sub")}, 'canceled', ${p("at")}, ${p("at")}, ${p("at")}, NULL, '', ${p("policy")}, '[]', NULL, '{}',
      ${p("jkt")}, ${p("key")}, 0, NULL)`,
)
