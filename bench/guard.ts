// A guarded GET, one token reused, write-ahead, against the same endpoint unguarded. The fsync time stands beside it:
// every answer waited for one, shared by the requests that waited with it.
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { load } from "./load.ts"
import { LOAD_CORE, median, startServer } from "./machine.ts"
import { perSecond, printMeasures, type Settings } from "./table.ts"

const FSYNCS = 200

function fsyncMilliseconds(folder: string): number {
  const file = openSync(join(folder, "fsync"), "w")
  const times = Array.from({ length: FSYNCS }, () => {
    const start = performance.now()
    writeSync(file, Buffer.alloc(4096))
    fsyncSync(file)
    return performance.now() - start
  })
  closeSync(file)
  return median(times)
}

export async function benchGuard(settings: Settings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-guard-"))
  const issuer = await startServer("taskmint", [], LOAD_CORE)
  const { url, method, headers, body, given } = issuer.target
  const started = await fetch(url, { method, headers, ...(body && { body }) })
  const task = (await started.json()) as { tokens: { access_token: string }[] }
  const file = join(folder, "given.json")
  const spool = join(folder, "uses.db")
  writeFileSync(file, JSON.stringify({ ...given, spool, token: task.tokens[0]?.access_token }), {
    mode: 0o600,
  })
  const api = await startServer("guarded-api", [file])
  const guarded = api.target
  const open = { ...guarded, url: guarded.url.replace("/tickets/", "/open/") }
  const rates = { open: [] as number[], guarded: [] as number[] }
  for (let round = -1; round < settings.rounds; round++)
    for (const [name, target] of [
      ["open", open],
      ["guarded", guarded],
    ] as const) {
      const { perSecond: rate } = await load(target, round < 0 ? 2 : settings.seconds)
      if (round >= 0) rates[name].push(rate)
    }
  await api.stop()
  await issuer.stop()
  const fsync = fsyncMilliseconds(folder)
  rmSync(folder, { recursive: true, force: true })
  const ratio = median(rates.guarded) / median(rates.open)
  return printMeasures(`guarded GET, ${settings.rounds} interleaved rounds of ${settings.seconds} s`, [
    { what: "hono, unguarded", figure: perSecond(median(rates.open)) },
    {
      what: "hono, guarded, write-ahead",
      figure: perSecond(median(rates.guarded)),
      ratio,
      against: "of unguarded",
    },
    { what: "fsync of one page, median", figure: `${fsync.toFixed(2)} ms` },
  ])
}
