import { spawnSync } from "node:child_process"
import { renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setImmediate as turn } from "node:timers/promises"
import { afterEach, expect, test } from "vitest"
import { PolicyFaults } from "../../src/policy/fault.ts"
import { loadPolicy, loadStoredPolicy } from "../../src/policy/load.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { createPolicyFolder, manyTasks, type PolicyFolder, shippedTexts } from "../support/policies.ts"

let folder: PolicyFolder
afterEach(() => folder.remove())

const loaded = async (): Promise<Policy> => {
  const policy = await loadPolicy(folder.path, { dev: true })
  if (policy instanceof PolicyFaults) throw new Error(policy.toString())
  return policy
}

test("a folder becomes the policy that its files say, defaults filled in", async () => {
  folder = createPolicyFolder(shippedTexts())
  const policy = await loaded()
  expect([...policy.files.keys()].sort()).toEqual(Object.keys(shippedTexts()).sort())
  expect(policy.tasks.get("triage-ticket")).toMatchObject({
    tokenLifetimeSeconds: 600,
    deadlineSeconds: 7200,
    proofOfPossession: "optional",
    renew: "orchestrator",
    limits: { activeTasks: 50, startsPerHour: 200 },
    enabled: true,
  })
  expect(policy.tasks.get("summarize-ticket")?.limits).toEqual({ activeTasks: 100, startsPerHour: 1000 })
  expect(policy.tasks.get("triage-ticket")?.grants.map(({ rule }) => rule)).toEqual([
    "support.yaml#/tasks/triage-ticket/grants/0",
    "support.yaml#/tasks/triage-ticket/grants/1",
  ])
  expect(policy.agents.get("summarizer")?.place).toEqual({ file: "support.yaml", line: 20, column: 3 })
  expect(policy.apis.get("tickets")?.authenticate[0]?.jwks.keys[0]).toMatchObject({
    crv: "P-256",
    use: "sig",
  })
})

test("the stored texts of a policy become the same policy again", async () => {
  folder = createPolicyFolder(shippedTexts())
  const policy = await loaded()
  const again = await loadStoredPolicy(policy.files, { dev: true })
  expect(again).toMatchObject({ digest: policy.digest })
  expect("tasks" in again && [...again.tasks.keys()]).toEqual([...policy.tasks.keys()])
})

test("an API is foreign when the file says so, also when the policy is read back", async () => {
  const texts = shippedTexts()
  const support = texts["support.yaml"]?.replace("    resource:", "    foreign: true\n    resource:") ?? ""
  folder = createPolicyFolder({ ...texts, "support.yaml": support })
  const policy = await loaded()
  const again = await loadStoredPolicy(policy.files, { dev: true })
  for (const one of [policy, again]) {
    const apis = "apis" in one ? [...one.apis.values()] : []
    expect(apis.filter((api) => api.foreign).map((api) => api.name)).toEqual(["tickets"])
  }
})

test("faults come with the digest of what was read, and change with it", async () => {
  folder = createPolicyFolder({ "a.yaml": "version: 2\n" })
  const first = await loadPolicy(folder.path)
  folder.write("a.yaml", "version: 3\n")
  const second = await loadPolicy(folder.path)
  expect([String(first), String(second)]).toEqual([
    "a.yaml:1:10: expected 1, found 2",
    "a.yaml:1:10: expected 1, found 3",
  ])
  expect("fingerprint" in first && "fingerprint" in second && first.fingerprint === second.fingerprint).toBe(
    false,
  )
})

test("1,000 task types are loaded while the event loop goes on turning", async () => {
  folder = createPolicyFolder({ "many.yaml": manyTasks(1000) })
  let done = false
  const loading = loaded().finally(() => {
    done = true
  })
  let turns = 0
  while (!done) {
    await turn()
    turns += 1
  }
  expect((await loading).tasks.size).toBe(1000)
  // Parsed in this thread there would be a handful; how long each takes is the machine's business.
  expect(turns).toBeGreaterThan(200)
})

test("a folder that is written all the while is taken as it was at one moment, or not at all", async () => {
  folder = createPolicyFolder({ "a.yaml": "", "b.yaml": "" })
  let round = 0
  const rewrite = () => {
    round += 1
    for (const [name, section] of [
      ["a", "agents"],
      ["b", "orchestrators"],
    ] as const) {
      const path = join(folder.path, `${name}.yaml`)
      writeFileSync(`${path}.new`, `version: 1\n${section}: { ${name}-${round}: { owner: a } }\n`)
      renameSync(`${path}.new`, path)
    }
  }
  rewrite()
  const seen = new Set<string>()
  for (let attempt = 0; attempt < 50 && !seen.has("refused"); attempt++) {
    let done = false
    const loading = loadPolicy(folder.path).finally(() => {
      done = true
    })
    while (!done) {
      rewrite()
      await turn()
    }
    const read = await loading
    seen.add(read instanceof PolicyFaults ? "refused" : "taken")
    if (read instanceof PolicyFaults)
      expect(String(read)).toBe(".:1:1: expected files that stay as they are while they are read")
  }
  expect(seen).toContain("refused")
})

test("a thread that nobody needs any more keeps no process alive", async () => {
  folder = createPolicyFolder(shippedTexts())
  const at = new URL("../../src/policy/load.ts", import.meta.url).href
  const text = `import { loadPolicy } from ${JSON.stringify(at)}
    await Promise.all([1, 2, 3].map(() => loadPolicy(${JSON.stringify(folder.path)}, { dev: true })))`
  const ended = spawnSync(process.execPath, ["--input-type=module", "--eval", text], { timeout: 15_000 })
  expect([ended.status, ended.signal, String(ended.stderr)]).toEqual([0, null, ""])
})

test("two at once, and one after the other, are each read whole, and for themselves", async () => {
  folder = createPolicyFolder(shippedTexts())
  const bad = createPolicyFolder({ "support.yaml": "version: 2\n" })
  for (let round = 0; round < 3; round++) {
    const [one, other] = await Promise.all([loaded(), loadPolicy(bad.path, { dev: true })])
    expect([...one.files.keys()].sort()).toEqual(Object.keys(shippedTexts()).sort())
    expect(other).toBeInstanceOf(PolicyFaults)
  }
  bad.remove()
})
