// Catalogue K20: what is measured is counted in figures of a closed list, however many names, paths and codes callers think
// of. The scrape is the one that `serve` answers; that its port is another than the callers', and on loopback, is held by
// test/cli/management.test.ts.
import { createServer, type Server } from "node:http"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Metrics, startMetrics } from "../../src/cli/metrics.ts"
import { createSettings } from "../../src/cli/settings.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"
import { emptyBody, surfaceOf } from "../support/surface.ts"

let metrics: Metrics
let house: House
let server: Server
let address = ""

beforeAll(async () => {
  metrics = await startMetrics()
  house = await openHouse()
  server = createServer((incoming, outgoing) => metrics.answer(incoming, outgoing))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const bound = server.address()
  address = `http://127.0.0.1:${typeof bound === "object" ? bound?.port : 0}/metrics`
})
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  await house.remove()
  await metrics.stop()
})

const scrape = async (): Promise<string> => (await fetch(address)).text()
/** Names and labels, without their figures. */
const seriesIn = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.replace(/ \S+$/, ""))
    .sort()

/** The same requests under names, paths and bodies of their own. */
async function round(name: string): Promise<void> {
  for (const as of [undefined, "support-orchestrator", "audit-team"] as const)
    for (const asked of await surfaceOf(house)) {
      if (asked.method !== "GET") continue
      const path = asked.path.replaceAll(/\{\w+\}/g, `${name}-id`)
      await (
        await house.call("GET", `${path}?${name}=${name}`, { ...(as && { as }), ...emptyBody(asked) })
      ).body?.cancel()
    }
  for (const path of [`/${name}`, `/console/${name}`, `/tasks/${name}/${name}`]) await house.call("GET", path)
  for (const method of ["PUT", name.toUpperCase().replace(/\W/g, "")]) await house.call(method, "/tasks")
  const agent = { id: "triage-bot", instance: `${name}-pod` }
  const json = { ...START, agent, reference: `${name}-run`, purpose: name }
  expect((await house.ask("POST", "/tasks", { as: "support-orchestrator", json })).status).toBe(201)
  await house.ask("POST", "/tasks", {
    as: "support-orchestrator",
    json: { ...json, agent: { ...agent, id: name } },
  })
  await house.form({ grant_type: name, client_id: name, client_assertion: name })
}

test("K20 no name, path or code of a caller makes a series, or stands in one", async () => {
  await round("first")
  const before = seriesIn(await scrape())
  expect(before.some((one) => one.startsWith("http_server_request_duration_count"))).toBe(true)
  for (let at = 0; at < 5; at += 1) await round(`zebra-${at}`)
  const text = await scrape()
  expect(seriesIn(text)).toEqual(before)
  expect(text).not.toMatch(/zebra|triage|support-orchestrator|audit-team|task_0|SUP-1042|sqlite|\/tmp\//)
})

test("K20 nothing is measured for anybody unless a port for it was named, and then on loopback", () => {
  const settings = createSettings({}, undefined)
  expect([settings.get("managementPort"), settings.get("managementHost")]).toEqual([undefined, "127.0.0.1"])
})
