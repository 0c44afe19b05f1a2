// The endpoint that erases what the ledger tells of somebody. It decides that a person asks; what is erased, and what can't
// be yet, is the task room's to say.
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../errors.ts"
import { type Endpoint, guarded, json, jsonBody } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"
import { plain } from "./task-schema.ts"

const EraseBody = z
  .union(
    [
      z.strictObject({
        sub: plain(320).openapi({
          description: "A person, as tokens name them, with every task of theirs",
          example: "people/ana@example.com",
        }),
        reason: plain(1000),
      }),
      z.strictObject({
        task: z.string().regex(/^task_[0-9a-f-]{36}$/, "a task id"),
        reason: plain(1000),
      }),
    ],
    "a sub or a task, and a reason",
  )
  .openapi("Erase")

const EraseAnswer = z
  .strictObject({
    tasks: z.int().openapi({ description: "Of which something was left to erase" }),
    entries: z.int().openapi({ description: "Entries that lost values; none of them is gone" }),
    from_files: z.boolean().openapi({
      description:
        "Whether the values are gone from the database's files by now. Never of PostgreSQL, nor of a file above 128 MiB",
    }),
  })
  .openapi("Erased")

export const erasureEndpoints = ({ erasures, dev }: Rooms): Endpoint[] => [
  guarded({
    method: "post",
    path: "/ledger/erase",
    lane: "later",
    summary:
      "Erase the personal values of a person or of one task, as a person; hashes and proofs stay whole",
    group: "ledger",
    who: ["operator"],
    body: jsonBody(EraseBody),
    answers: { 200: { description: "Erased, now or before", schema: EraseAnswer } },
    async run({ body }, caller) {
      if (caller.person === undefined && !dev)
        return refuse("person_required", "[person] the caller has a key")
      const erasing = { by: caller.person ?? caller.clientId, as: caller.clientId, reason: body.reason }
      const erased =
        "sub" in body ? await erasures.subject(erasing, body.sub) : await erasures.task(erasing, body.task)
      if (erased instanceof Refusal) return erased
      const { tasks, entries, fromFiles } = erased
      return json(200, { tasks, entries, from_files: fromFiles })
    },
  }),
]
