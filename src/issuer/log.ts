// The ledger as a transparency log that others' clients read (C2SP tlog-tiles, tlog-checkpoint): checkpoint, tiles, key. It
// decides who may read and how long it may be kept. Reading them adds no entry: they hold no personal value, only what
// commits to it, and whoever follows the log would make it grow by following.
import { z } from "@hono/zod-openapi"
import { refuse } from "../errors.ts"
import { readTile, readTilePath } from "../ledger/tiles.ts"
import { type Endpoint, guarded } from "./endpoint.ts"
import { INERT } from "./inert.ts"
import type { Rooms } from "./rooms.ts"

const TEXT = "text/plain; charset=utf-8"
const BYTES = "application/octet-stream"
/** A tile never changes: a partial one of a width neither. Only who may read it may keep it. */
const FOR_EVER = "private, max-age=31536000, immutable"

const text = z.string()

export const logEndpoints = (rooms: Rooms): Endpoint[] => [
  showCheckpoint(rooms),
  showTile(rooms),
  showKeys(rooms),
]

const showCheckpoint = ({ sequence }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/ledger/checkpoint",
    lane: "later",
    summary: "The ledger's newest checkpoint: a signed note (C2SP tlog-checkpoint)",
    group: "ledger",
    who: ["auditor"],
    answers: { 200: { description: "The signed note", others: { "text/plain": text } } },
    async run() {
      const { note } = await sequence.covering(0)
      return new Response(note, { headers: { "content-type": TEXT, ...INERT, "cache-control": "no-store" } })
    },
  })

const showTile = ({ sequence, engine }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/ledger/tile/{tile}",
    deep: true,
    lane: "later",
    summary:
      "A tile of hashes, `0/x001/234` or partial `0/x001/234.p/8`, or a bundle of entries, `entries/x001/234` (C2SP tlog-tiles)",
    group: "ledger",
    who: ["auditor"],
    answers: { 200: { description: "The tile, the same for ever", others: { [BYTES]: text } } },
    async run({ parameter }) {
      const path = readTilePath(parameter("tile"))
      const newest = path && (await sequence.newest())
      const tile = newest && (await readTile(engine, newest.size, path))
      if (!tile) return refuse("not_found", "[tile] there is no such tile, or not yet")
      return new Response(Buffer.from(tile), {
        headers: { "content-type": BYTES, ...INERT, "cache-control": FOR_EVER },
      })
    },
  })

const showKeys = ({ ledgerKeys }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/ledger/key",
    lane: "later",
    summary:
      "The keys that checkpoints are signed with, as vkeys (C2SP signed-note): a line for each, the newest first",
    group: "ledger",
    who: ["auditor"],
    answers: { 200: { description: "The keys", others: { "text/plain": text } } },
    async run() {
      const lines = (await ledgerKeys.verifiers()).map(({ vkey }) => `${vkey}\n`)
      return new Response(lines.join(""), {
        headers: { "content-type": TEXT, ...INERT, "cache-control": "no-store" },
      })
    },
  })
