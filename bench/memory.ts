// Memory of an idle issuer, and its growth over many tasks. Resident set, as the kernel counts it. Idle is `taskmint
// serve` as it is shipped, started on a database that exists, half a minute after its start.
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import autocannon from "autocannon"
import { startServer } from "./machine.ts"
import { printMeasures, type Settings } from "./table.ts"

const IDLE_LIMIT_MIB = 120
const IDLE_MILLISECONDS = 30_000
/** Growth from the first quarter to the last that still counts as flat. */
const FLAT_MIB = 32
const STEPS = 10
const CLI = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url))

const residentMib = (pid: number | undefined): number => {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))
  return Number(line?.[1] ?? Number.NaN) / 1024
}

export async function benchMemory(settings: Settings): Promise<boolean> {
  const idle = await measureIdle()
  const series = await measureGrowth(settings)
  const quarter = Math.ceil(STEPS / 4)
  const growth = Math.min(...series.slice(-quarter)) - Math.min(...series.slice(1, 1 + quarter))
  console.log(
    `\nresident MiB after each ${settings.tasks / STEPS} tasks: ${series.map(Math.round).join(" ")}`,
  )
  return printMeasures(`memory, ${settings.tasks} tasks`, [
    {
      what: "idle issuer, MiB",
      figure: idle.toFixed(0),
      ratio: IDLE_LIMIT_MIB / idle,
      against: `below ${IDLE_LIMIT_MIB} MiB`,
      atLeast: 1,
    },
    {
      what: "growth from the first quarter to the last, MiB",
      figure: growth.toFixed(0),
      ratio: growth <= FLAT_MIB ? 1 : 0,
      against: `flat: at most ${FLAT_MIB} MiB`,
      atLeast: 1,
    },
  ])
}

async function measureIdle(): Promise<number> {
  if (!existsSync(CLI)) throw new Error("run `npm run build` first: what is measured is what is shipped")
  const folder = mkdtempSync(join(tmpdir(), "bench-idle-"))
  const made = spawnSync(process.execPath, [CLI, "init", join(folder, "acme")])
  if (made.status !== 0) throw new Error(made.stderr.toString())
  await end(await serve(folder))
  const issuer = await serve(folder)
  await setTimeout(IDLE_MILLISECONDS)
  const resident = residentMib(issuer.pid)
  await end(issuer)
  rmSync(folder, { recursive: true, force: true })
  return resident
}

async function serve(folder: string): Promise<ChildProcess> {
  const settings = join(folder, "acme", "settings.sh")
  const line = `. '${settings}'; export TASKMINT_ISSUER=https://taskmint.internal; exec '${process.execPath}' '${CLI}' serve --port 0`
  const issuer = spawn("/bin/sh", ["-c", line], { stdio: ["ignore", "pipe", "ignore"] })
  await new Promise((resolve, reject) => {
    issuer.once("exit", () => reject(new Error("serve ended early")))
    issuer.stdout?.on("data", (text: Buffer) => /listening/.test(text.toString()) && resolve(undefined))
  })
  return issuer
}

const end = (issuer: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    issuer.removeAllListeners("exit").once("exit", () => resolve())
    issuer.kill("SIGTERM")
  })

async function measureGrowth(settings: Settings): Promise<number[]> {
  const server = await startServer("taskmint")
  const { url, method, headers, body } = server.target
  const series: number[] = []
  for (let step = 0; step < STEPS; step++) {
    await autocannon({
      url,
      method,
      headers,
      body: body ?? "",
      connections: 64,
      amount: settings.tasks / STEPS,
    })
    await setTimeout(500)
    series.push(residentMib(server.pid))
  }
  await server.stop()
  return series
}
