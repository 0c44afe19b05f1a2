// Memory of an idle issuer, and its growth over many tasks. Resident set, as the kernel counts it.
import { readFileSync } from "node:fs"
import { setTimeout } from "node:timers/promises"
import autocannon from "autocannon"
import { startServer } from "./machine.ts"
import { printMeasures, type Settings } from "./table.ts"

const IDLE_LIMIT_MIB = 120
/** Growth from the first quarter to the last that still counts as flat. */
const FLAT_MIB = 32
const STEPS = 10

const residentMib = (pid: number): number => {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))
  return Number(line?.[1] ?? Number.NaN) / 1024
}

export async function benchMemory(settings: Settings): Promise<boolean> {
  const server = await startServer("taskmint")
  await setTimeout(5000)
  const idle = residentMib(server.pid)
  const series: number[] = []
  const { url, method, headers, body } = server.target
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
