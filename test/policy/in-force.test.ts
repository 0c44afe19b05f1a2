import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type Engine, Unexpected } from "../../src/database/database.ts"
import { createNames } from "../../src/database/names.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createLedger, type Ledger } from "../../src/ledger/ledger.ts"
import { PolicyFaults } from "../../src/policy/fault.ts"
import {
  createPolicyStore,
  type PolicyState,
  type PolicyStore,
  type PolicyStoreOptions,
} from "../../src/policy/in-force.ts"
import type { LoadOptions } from "../../src/policy/resolve.ts"
import { testPlace } from "../support/engine.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { createPolicyFolder, type PolicyFolder, shippedTexts } from "../support/policies.ts"

const policyText = (agent: string) => `version: 1\nagents: { ${agent}: { owner: a } }\n`
const BAD = "version: 1\nagents: { one: { ownr: a } }\n"

let folder: PolicyFolder
let engine: Engine
let ledger: Ledger
const clock = createFakeClock()

beforeEach(async () => {
  folder = createPolicyFolder({ "a.yaml": policyText("one") })
  engine = await openDatabase((await testPlace(join(folder.path, ".."))).place)
  ledger = await createLedger({ engine, names: createNames(engine), clock })
})
afterEach(async () => {
  await engine.close()
  folder.remove()
})

type Options = LoadOptions & Pick<PolicyStoreOptions, "onState" | "admit">
const open = (options: Options = {}) => createPolicyStore({ engine, ledger, folder: folder.path, ...options })
const opened = async (options: Options = {}): Promise<PolicyStore> => {
  const store = await open(options)
  if (store instanceof PolicyFaults) throw new Error(store.toString())
  return store
}
const agents = (store: PolicyStore) => [...store.inForce().agents.keys()]
const entries = async () => {
  const { entries: all } = await ledger.read({ limit: 100 })
  return all.filter(({ kind }) => /^(policy|alarm)\./.test(kind)).map(({ kind, body }) => ({ kind, body }))
}
const kinds = async () => (await entries()).map(({ kind }) => kind)

describe("starting", () => {
  test("the first policy takes force, with an entry", async () => {
    const store = await opened()
    const { digest } = store.inForce()
    expect(store.state()).toEqual({ digest, since: clock.now(), refused: undefined })
    expect(await entries()).toEqual([{ kind: "policy.loaded", body: { digest, files: 1, task_types: 0 } }])
  })

  test("the same policy again adds nothing", async () => {
    await opened()
    await opened()
    expect(await kinds()).toEqual(["policy.loaded"])
  })

  test("bad files are refused and recorded with their digest and their first fault", async () => {
    folder.write("a.yaml", BAD)
    const faults = await open()
    expect(String(faults)).toBe('a.yaml:2:18: expected a known key, found "ownr" (did you mean "owner"?)')
    expect(await entries()).toMatchObject([
      {
        kind: "policy.refused",
        body: { place: "a.yaml:2:18", faults: 1, digest: expect.stringMatching(/^sha-256:/) },
      },
      { kind: "alarm.raised" },
    ])
  })

  test("on superseded files the stored policy stays in force", async () => {
    await opened()
    folder.write("a.yaml", policyText("two"))
    const before = await opened()
    folder.write("a.yaml", policyText("one"))
    const told: PolicyState[] = []
    const store = await opened({ onState: (state) => told.push(state) })
    const refused = { reason: "superseded", digest: expect.stringMatching(/^sha-256:/), faults: [] }
    expect([agents(store), store.state().refused]).toEqual([["two"], refused])
    expect(told).toEqual([store.state()])
    expect(await store.use(store.state().refused?.digest ?? "")).toBe("used")
    expect([agents(store), before.inForce().digest === store.inForce().digest]).toEqual([["one"], false])
  })
})

describe("what only the network knows", () => {
  const away = { place: { file: "a.yaml", line: 1, column: 1 }, message: "expected a provider that answers" }
  const admit = async () => [away]

  test("is asked of a policy that is to take force, and not again of the one in force", async () => {
    await opened()
    const store = await opened({ admit })
    expect(await store.reload()).toBe("unchanged")
    folder.write("a.yaml", policyText("two"))
    expect(await store.reload()).toMatchObject({ code: "policy_refused" })
    expect([agents(store), store.state().refused?.faults]).toEqual([["one"], [away]])
    expect(String(await open({ admit }))).toBe("a.yaml:1:1: expected a provider that answers")
  })
})

describe("reloading", () => {
  test("a digest never seen takes force at once; the same again changes nothing", async () => {
    const store = await opened()
    expect(await store.reload("ops")).toBe("unchanged")
    folder.write("a.yaml", policyText("two"))
    const previous = store.inForce().digest
    expect(await store.reload("ops")).toBe("loaded")
    expect(agents(store)).toEqual(["two"])
    expect((await entries()).at(-1)?.body).toMatchObject({
      previous,
      by: "ops",
      digest: store.inForce().digest,
    })
  })

  test("bad files leave the policy in force as it is, and are told until they are good", async () => {
    const store = await opened()
    folder.write("a.yaml", BAD)
    expect(await store.reload("ops")).toMatchObject({
      code: "policy_refused",
      errors: [
        { pointer: "a.yaml:2:18", expected: 'expected a known key, found "ownr" (did you mean "owner"?)' },
      ],
    })
    expect([agents(store), store.state().refused?.reason]).toEqual([["one"], "faults"])
    folder.write("a.yaml", policyText("one"))
    expect(await store.reload("ops")).toBe("unchanged")
    expect(store.state().refused).toBeUndefined()
    expect(await kinds()).toEqual(["policy.loaded", "policy.refused", "alarm.raised"])
  })

  test("what was superseded does not come back by itself", async () => {
    const store = await opened()
    folder.write("a.yaml", policyText("two"))
    await store.reload()
    folder.write("a.yaml", policyText("one"))
    expect(await store.reload("ops")).toMatchObject({ code: "policy_superseded" })
    expect([agents(store), store.state().refused?.reason]).toEqual([["two"], "superseded"])
    expect(await kinds()).toEqual(["policy.loaded", "policy.loaded", "policy.refused"])
  })
})

describe("reloading beside another replica", () => {
  test("superseded files are refused, and what the other has put in force is followed", async () => {
    const [one, other] = [await opened(), await opened()]
    folder.write("a.yaml", policyText("two"))
    await one.reload()
    folder.write("a.yaml", policyText("one"))
    expect(await other.reload()).toMatchObject({ code: "policy_superseded" })
    expect([agents(other), other.state().digest]).toEqual([["two"], one.inForce().digest])
    await engine.atomically([other.guard()])
  })
})

describe("what is told", () => {
  test("each new state once by looks, each by whoever reloads, and that it is over", async () => {
    const told: (string | undefined)[] = []
    const onState = ({ refused }: PolicyState) =>
      told.push(refused && (refused.faults[0] ? `${refused.faults[0].place.line}` : refused.reason))
    const store = await opened({ onState })
    const look = async (text: string) => {
      folder.write("a.yaml", text)
      told.length = 0
      await store.look()
      await store.look()
      return [...told]
    }
    expect(await look(policyText("one"))).toEqual([])
    expect(await look(BAD)).toEqual(["2"])
    expect(await look(`${BAD}# the same mistake\n`)).toEqual([])
    expect(await look(`# another place\n${BAD}`)).toEqual(["3"])
    await store.reload()
    expect(told).toEqual(["3", "3"])
    expect(await look(policyText("two"))).toEqual([undefined])
    expect(await look(policyText("one"))).toEqual(["superseded"])
    expect(await look(policyText("two"))).toEqual([undefined])
  })
})

describe("bringing back", () => {
  test("an operator brings a digest back whose files are gone; the folder does not undo it", async () => {
    const store = await opened()
    const first = store.inForce().digest
    folder.write("a.yaml", policyText("two"))
    await store.reload()
    const second = store.inForce().digest
    expect(await store.use(first, "ops")).toBe("used")
    expect(agents(store)).toEqual(["one"])
    expect((await entries()).at(-1)).toEqual({
      kind: "policy.used",
      body: { digest: first, previous: second, by: "ops" },
    })
    await store.look()
    expect([agents(store), store.state().refused?.reason]).toEqual([["one"], "superseded"])
    expect(await store.use(first, "ops")).toBe("unchanged")
    expect(agents(await opened())).toEqual(["one"])
  })

  test("a digest that was never in force is not found", async () => {
    const store = await opened()
    expect(await store.use(`sha-256:${"A".repeat(43)}`)).toMatchObject({ code: "not_found" })
  })
})

describe("looking", () => {
  test("new files are found, and a look at unchanged ones reads nothing in", async () => {
    const store = await opened()
    const before = store.inForce()
    await store.look()
    expect(store.inForce()).toBe(before)
    folder.write("a.yaml", policyText("two"))
    await store.look()
    expect(agents(store)).toEqual(["two"])
  })

  test("bad files are recorded once, however often they are looked at", async () => {
    const store = await opened()
    folder.write("a.yaml", BAD)
    for (let times = 0; times < 3; times += 1) await store.look()
    expect(await kinds()).toEqual(["policy.loaded", "policy.refused", "alarm.raised"])
    folder.write("a.yaml", policyText("one"))
    await store.look()
    expect(store.state().refused).toBeUndefined()
  })

  test("a change of a key file alone is found, and one of a mode too", async () => {
    const keys = shippedTexts()
    const audit = keys["keys/audit-team.jwks.json"] ?? ""
    folder.write("keys/k.json", audit)
    folder.write(
      "b.yaml",
      "version: 1\nstaff: { s: { roles: [auditor], authenticate: [{ private_key_jwt: { jwks: keys/k.json } }] } }\n",
    )
    const store = await opened({ dev: true })
    const before = store.inForce().digest
    folder.write("keys/k.json", keys["keys/operations-team.jwks.json"] ?? "")
    await store.look()
    expect([store.inForce().digest === before, store.state().refused]).toEqual([false, undefined])
    folder.write("keys/k.json", audit, 0o666)
    await store.look()
    expect(store.state().refused?.faults[0]?.message).toContain("not everybody may write")
  })

  test("another replica's change is followed, and its older files change nothing", async () => {
    const [one, other] = [await opened(), await opened()]
    const first = one.inForce().digest
    folder.write("a.yaml", policyText("two"))
    await one.reload()
    await one.use(first)
    await one.use(other.inForce().digest)
    folder.write("a.yaml", policyText("three"))
    await one.reload()
    folder.write("a.yaml", policyText("one"))
    await other.look()
    expect([agents(one), agents(other)]).toEqual([["three"], ["three"]])
  })
})

describe("the guard", () => {
  test("holds while the policy that was decided on is in force, and never after", async () => {
    const store = await opened()
    const decidedOn = store.inForce()
    await engine.atomically([store.guard()])
    folder.write("a.yaml", policyText("two"))
    await store.reload()
    await expect(engine.atomically([store.guard(decidedOn)])).rejects.toThrow(Unexpected)
    await engine.atomically([store.guard()])
  })

  test("holds every mint of a replica that has not heard of a change", async () => {
    const [one, other] = [await opened(), await opened()]
    folder.write("a.yaml", policyText("two"))
    await one.reload()
    await expect(engine.atomically([other.guard()])).rejects.toThrow(Unexpected)
    await other.look()
    await engine.atomically([other.guard()])
  })
})
