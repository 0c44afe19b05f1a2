// The endpoint that archives entries older than a time, some thousand with each request, so that whoever asks sees how far it
// is. It decides what is asked and answered; what may be archived is the task room's to say.
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../errors.ts"
import { NO_FOLDER } from "../task/archive.ts"
import { parseInstant } from "../time.ts"
import { type Endpoint, guarded, json, jsonBody } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"

const ArchiveBody = z
  .strictObject({
    before: z
      .string()
      .refine((value) => parseInstant(value) !== undefined, "an RFC 3339 time")
      .openapi({ description: "Entries older than this", example: "2026-09-01T00:00:00Z" }),
    to: z.string().max(4096).optional().openapi({
      description:
        "Into files, in the folder that the issuer was started with, which this names (an absolute path): it writes nowhere else",
    }),
  })
  .openapi("Archive")

const ArchiveAnswer = z
  .strictObject({
    entries: z
      .int()
      .openapi({ description: "Archived by this request: 256 for each full tile, up to 4,096" }),
    from: z.int().optional().openapi({ description: "The first of their places" }),
    to: z.int().optional().openapi({ description: "The last" }),
    bytes_before: z.int().openapi({ description: "What of them is hashed took, in rows" }),
    bytes_after: z.int().openapi({ description: "What it takes in the database" }),
    bytes_in_files: z.int().optional().openapi({ description: "With `to`: what it takes in files" }),
    more: z.boolean().openapi({ description: "Ask again: there is more to archive" }),
    end: z.enum(["younger", "unsigned", "open"]).optional().openapi({
      description:
        "Why the next tile stays as it is: an entry of it is younger; it is not full, or under no checkpoint; or it tells of a task that runs or whose closing statement is owed",
    }),
    task_id: z.string().optional().openapi({ description: "With `open`, that task" }),
  })
  .openapi("Archived")

export const archiveEndpoints = ({ archives }: Rooms): Endpoint[] => [
  guarded({
    method: "post",
    path: "/ledger/archive",
    lane: "later",
    summary:
      "Pack the next entries older than a time into compressed bundles, or into files; they are read, proved and erased as before",
    group: "ledger",
    who: ["operator"],
    body: jsonBody(ArchiveBody),
    answers: { 200: { description: "Archived, as far as may be", schema: ArchiveAnswer } },
    async run({ body }, caller) {
      const before = parseInstant(body.before) ?? 0
      const by = caller.person ?? caller.clientId
      const toFiles = body.to !== undefined
      if (toFiles && body.to !== archives.folder)
        return refuse("invalid_request", "[to] not the archive's folder", NO_FOLDER)
      const done = await archives.next({ by, as: caller.clientId, before, toFiles })
      if (done instanceof Refusal) return done
      const { rows: bytes_before, bundles: bytes_after, files, end, task: task_id, ...places } = done
      const sizes = { bytes_before, bytes_after, ...(toFiles && { bytes_in_files: files }) }
      return json(200, { ...places, ...sizes, more: end === undefined, end, task_id })
    },
  }),
]
