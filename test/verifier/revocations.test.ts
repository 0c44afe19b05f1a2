// The feed: what it ends, what survives a restart, what is refused as no feed.
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import type { Answered } from "../../src/remote/exchange.ts"
import { openSpool, type Spool } from "../../src/spool/spool.ts"
import type { RevocationItem } from "../../src/token/revocation.ts"
import type { TaskToken } from "../../src/token/token.ts"
import { FeedFault } from "../../src/verifier/feed.ts"
import { createIssuerTime } from "../../src/verifier/issuer-time.ts"
import { createRevocations } from "../../src/verifier/revocations.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { newFolder, removeFolder } from "../support/guarded-api.ts"

const clock = createFakeClock()
let folder: string
let spool: Spool
let answers: (path: string) => object
const calls = async ({ path }: { path: string }): Promise<Answered> => ({
  status: 200,
  headers: new Headers(),
  text: JSON.stringify(answers(path)),
})
const streams = async () => {
  throw new Error("followed in following.test.ts")
}

const openAgain = async () => {
  await spool.close()
  spool = await openSpool(join(folder, "uses.db"))
}

beforeEach(async () => {
  folder = newFolder()
  spool = await openSpool(join(folder, "uses.db"))
})
afterEach(async () => {
  await spool.close()
  removeFolder(folder)
})

const IAT = 1_790_000_000
const token: TaskToken = {
  iss: "https://taskmint.internal",
  aud: "https://tickets.internal.example",
  iat: IAT,
  nbf: IAT,
  exp: IAT + 600,
  jti: "tok_1",
  clientId: "support-orchestrator",
  sub: "people/ana@example.com",
  act: { agent: "summarizer", instance: "pod-2" },
  actors: [
    { agent: "summarizer", instance: "pod-2" },
    { agent: "triage-bot", instance: "pod-1" },
  ],
  txn: "task_1",
  lineage: ["del_1", "del_2"],
  scope: ["tickets:read"],
  grants: [],
  policy: "",
}

const item = (changes: Partial<RevocationItem>): RevocationItem => ({
  cursor: 1,
  kind: "task",
  value: "task_1",
  before: IAT,
  until: IAT + 600,
  code: "token_revoked",
  ...changes,
})
/** One answer with the items, then nothing more. */
const feedOf = (items: readonly RevocationItem[]) => (path: string) => {
  const after = Number(/after=(\d+)$/.exec(path)?.[1])
  const rest = items.filter((one) => one.cursor > after)
  return { items: rest, cursor: rest.at(-1)?.cursor ?? after }
}
const openRevocations = () =>
  createRevocations({
    calls,
    streams,
    spool,
    clock,
    issuerTime: createIssuerTime(clock),
    succeeded: () => undefined,
  })
const polled = async (...items: RevocationItem[]) => {
  answers = feedOf(items)
  const revocations = openRevocations()
  await revocations.poll()
  return revocations
}
const codeOf = (found: Refusal | undefined) => (found instanceof Refusal ? found.code : "stands")

describe("an order ends what it names", () => {
  const NAMES: readonly [RevocationItem["kind"], string, string][] = [
    ["token", "tok_1", "tok_2"],
    ["task", "task_1", "task_2"],
    ["delegation", "del_2", "del_3"],
    ["instance", "triage-bot/pod-1", "triage-bot/pod-2"],
    ["agent", "triage-bot", "triage"],
    ["orchestrator", "support-orchestrator", "people/ana@example.com"],
    ["subject", "people/ana@example.com", "support-orchestrator"],
    ["api", "https://tickets.internal.example", "https://tickets.internal.example/"],
    ["key", "kid-1", "kid-2"],
  ]
  test.each(NAMES)("%s %s, not %s", async (kind, value, other) => {
    expect(codeOf((await polled(item({ kind, value }))).judge(token, "kid-1"))).toBe("token_revoked")

    await spool.close()
    removeFolder(folder)
    folder = newFolder()
    spool = await openSpool(join(folder, "uses.db"))
    expect(codeOf((await polled(item({ kind, value: other }))).judge(token, "kid-1"))).toBe("stands")
  })

  test.each(["token_revoked", "task_paused", "task_ended"] as const)("and says how: %s", async (code) => {
    expect(codeOf((await polled(item({ code }))).judge(token, "k"))).toBe(code)
  })

  test("and nothing that was minted after it: a resumed task's new tokens live", async () => {
    const revocations = await polled(item({ code: "task_paused", before: IAT - 1 }))
    expect(codeOf(revocations.judge(token, "k"))).toBe("stands")
    expect(codeOf(revocations.judge({ ...token, iat: IAT - 1 }, "k"))).toBe("task_paused")
  })

  test("and a later order against the same name moves it on, never back", async () => {
    const later = item({ cursor: 2, before: IAT - 50, code: "task_ended" })
    const revocations = await polled(item({}), later)
    expect(codeOf(revocations.judge(token, "k"))).toBe("task_ended")
  })
})

describe("across a restart", () => {
  test("orders and cursor are known, and the feed goes on where it was", async () => {
    await polled(item({ cursor: 7 }))
    await openAgain()
    const paths: string[] = []
    answers = (path) => {
      paths.push(path)
      return { items: [], cursor: 9 }
    }
    clock.advance(3000)
    const revocations = openRevocations()
    expect(codeOf(revocations.judge(token, "k"))).toBe("token_revoked")
    expect(revocations.age()).toBe(3000)
    await revocations.poll()
    expect(paths).toEqual(["/revocations?after=7"])
    expect(revocations.cursor()).toBe(9)
    expect(revocations.age()).toBe(0)
  })

  test("an order that is over is forgotten, one that may end a live token is not", async () => {
    const revocations = await polled(item({}), item({ cursor: 2, kind: "agent", value: "triage-bot" }))
    revocations.forget(IAT + 600)
    expect(codeOf(revocations.judge(token, "k"))).toBe("token_revoked")
    revocations.forget(IAT + 601)
    expect(codeOf(revocations.judge({ ...token, exp: IAT + 601 }, "k"))).toBe("stands")
  })

  test("G09 a clock set forward and back revives no token: what was forgotten left a time floor, also on disk", async () => {
    const revocations = await polled(item({}))
    const now = IAT + 86_400
    await spool.sweep(now, now, revocations.forget(now))
    expect(codeOf(revocations.judge(token, "k"))).toBe("token_expired")
    await openAgain()
    const again = openRevocations()
    expect([...spool.revocations()]).toEqual([])
    expect(codeOf(again.judge(token, "k"))).toBe("token_expired")
    expect(codeOf(again.judge({ ...token, iat: IAT + 60, exp: IAT + 660 }, "k"))).toBe("stands")
  })

  test("knowledge from a time that is still to come makes nothing fresh", async () => {
    await polled(item({}))
    await openAgain()
    clock.step(-3_600_000)
    const revocations = openRevocations()
    clock.step(3_600_000)
    expect(revocations.age()).toBeUndefined()
    expect(codeOf(revocations.judge(token, "k"))).toBe("token_revoked")
  })
})

describe("what is no feed changes nothing, and makes nothing fresh", () => {
  test.each<[string, object]>([
    ["no items", { cursor: 3 }],
    ["no cursor", { items: [] }],
    ["a cursor that went back", { items: [], cursor: 4 }],
    ["an item that was told before", { items: [item({ cursor: 5 })], cursor: 6 }],
    ["an item past the cursor", { items: [item({ cursor: 8 })], cursor: 6 }],
    ["an unknown kind", { items: [{ ...item({ cursor: 6 }), kind: "galaxy" }], cursor: 6 }],
    ["a time as text", { items: [{ ...item({ cursor: 6 }), before: "now" }], cursor: 6 }],
  ])("%s", async (_, answer) => {
    const revocations = await polled(item({ cursor: 5 }))
    clock.advance(1000)
    answers = () => answer
    await expect(revocations.poll()).rejects.toBeInstanceOf(FeedFault)
    expect(revocations.cursor()).toBe(5)
    expect(revocations.age()).toBe(1000)
    expect(codeOf(revocations.judge(token, "k"))).toBe("token_revoked")
  })

  test("an order with a code of the future still ends the token", async () => {
    let asked = 0
    answers = () => ({ items: asked++ ? [] : [{ ...item({}), code: "something_new" }], cursor: 1 })
    const revocations = openRevocations()
    await revocations.poll()
    expect(codeOf(revocations.judge(token, "k"))).toBe("token_revoked")
  })
})
