// What a policy may say of the rules for unusual work: when there is enough to judge by, from where on it is told, and what
// becomes of the tasks behind it. It checks each rule by itself; which task types there are is resolve-anomaly.ts's.
import { z } from "zod"
import { AT_LEAST, DEVIATIONS, LEARN, REMEMBERED_DAYS } from "./anomaly-rules.ts"
import { count, list, name } from "./schema-words.ts"

const acting = {
  action: z
    .enum(["pause", "revoke"])
    .optional()
    .describe("What becomes of the open tasks behind it; absent: nothing, it is told"),
  tasks: list(name).optional().describe("The task types that `action` is for; absent: every one"),
}

const learned = {
  enabled: z.boolean().default(true).describe("false: it is not looked for"),
  learn: z
    .strictObject({
      tasks: count.default(LEARN.tasks).describe("Tasks that have ended"),
      days: z
        .int("expected a whole number")
        .min(1, "expected at least 1")
        .max(REMEMBERED_DAYS, `expected at most ${REMEMBERED_DAYS}`)
        .default(LEARN.days)
        .describe(`Days with work, of the last ${REMEMBERED_DAYS}`),
    })
    .default({ ...LEARN })
    .describe("What must have been seen of an agent and task type before anything of theirs is unusual"),
  ...acting,
}

/** Tasks of fewer uses are not looked at one by one. */
const FEWEST_OF_TASK = 10

const counted = (atLeast: number, least = 1) =>
  z
    .strictObject({
      at_least: count
        .min(least, `expected at least ${least}`)
        .default(atLeast)
        .describe("Fewer are never unusual"),
      deviations: z
        .int("expected a whole number")
        .min(2, "expected at least 2")
        .max(20, "expected at most 20")
        .default(DEVIATIONS)
        .describe("How far above the middle of what is usual, in robust deviations"),
      ...learned,
    })
    .optional()

const always = () => z.strictObject(acting).optional()

export const anomalies = z
  .strictObject({
    new_operation: z
      .strictObject(learned)
      .optional()
      .describe("An operation that the agent has not used before in tasks of that type"),
    unusual_spread: counted(AT_LEAST.unusual_spread, FEWEST_OF_TASK).describe(
      "More resources in one task than usual",
    ),
    unusual_uses: counted(AT_LEAST.unusual_uses, FEWEST_OF_TASK).describe("More uses in one task than usual"),
    unusual_rate: counted(AT_LEAST.unusual_rate).describe("More uses in an hour than usual"),
    unusual_starts: counted(AT_LEAST.unusual_starts).describe("More tasks started in an hour than usual"),
    unusual_refusals: counted(AT_LEAST.unusual_refusals).describe("More refusals in an hour than usual"),
    unusual_hour: z
      .strictObject(learned)
      .optional()
      .describe("Work at an hour of the week without any so far"),
    use_of_unknown_token: always().describe("A use of a token that was never minted"),
    use_of_other_task: always().describe("A use that names another task than its token's"),
    use_at_other_api: always().describe("A use at another API than the token's"),
    use_before_issue: always().describe("A use before its token was minted"),
    use_after_expiry: always().describe("A use after its token ran out"),
    use_after_token_end: always().describe("A use after its token was ended"),
    use_after_task_end: always().describe("A use after its task ended"),
    use_dated_ahead: always().describe("A use of a time that has not come yet"),
    canary_used: always().describe("A use of a canary, which nobody has a reason to hold"),
  })
  .default({})
  .describe("What is unusual, and what becomes of the tasks behind it; absent: it is told, and nothing else")

type Anomalies = z.output<typeof anomalies>
export type AnomalyDeclaration = NonNullable<Anomalies[keyof Anomalies]>
