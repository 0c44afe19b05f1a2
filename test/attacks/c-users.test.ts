// Catalogue, where users are concerned: what an orchestrator with good credentials, an agent, or somebody with a user's token
// may try, so that a task does more than its user may, for longer, or for somebody else.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Crew, crewPolicy, openCrew } from "../support/crew.ts"
import { everythingAt } from "../support/engine.ts"
import { foreignSigner } from "../support/foreign-issuer.ts"
import { openUsers, USER_POLICY, type Users } from "../support/users.ts"

let users: Users
beforeAll(async () => {
  users = await openUsers()
})
afterAll(() => users.house.remove())

const always = { type: "always-for-user", inputs: {} }
const codeOf = async (started: ReturnType<typeof users.start>) => (await started).body.code ?? "started"
const claimsOf = (token: unknown) =>
  JSON.parse(Buffer.from(String(token).split(".")[1] ?? "", "base64url").toString())

describe("C01 an operation beyond the user's refuses the whole request", () => {
  test.each([[["tickets:close"]], [["tickets:read", "tickets:close"]]])("%j", async (operations) => {
    expect(await codeOf(users.startFor({}, { operations }))).toBe("operation_not_allowed")
    expect(await codeOf(users.start({ operations }))).toBe("started")
  })
})

test("C10 a user's token opens no task type to an orchestrator or an agent that it does not list", async () => {
  const subject_token = users.token()
  expect((await users.start({ subject_token }, "release-orchestrator")).body.code).toBe("access_denied")
  const agent = { id: "summarizer", instance: "pod-1" }
  expect(await codeOf(users.start({ subject_token, agent }))).toBe("access_denied")
  expect(await codeOf(users.start({ subject_token }))).toBe("started")
})

test("C11 many users share the limits of a task type, and what is refused for them uses no token up", async () => {
  const path = join(users.house.policyFolder, "users.yaml")
  const limited = USER_POLICY.replace("deadline: 1h", "deadline: 1h\n    limits: { active_tasks: 2 }")
  writeFileSync(path, limited)
  await users.house.issuer.reload()
  const people = ["ana", "bob", "cyd"].map((name) => users.token({ email: `${name}@example.com` }))
  const answers = []
  for (const subject_token of people) answers.push(await users.start({ ...always, subject_token }))
  expect(answers.map(({ body }) => body.code ?? "started")).toEqual(["started", "started", "limit_reached"])
  await users.house.call("POST", `/tasks/${answers[0]?.body.task_id}/complete`, {
    as: "support-orchestrator",
  })
  expect(await codeOf(users.start({ ...always, subject_token: people[2] }))).toBe("started")
  writeFileSync(path, `${USER_POLICY}# again\n`)
  await users.house.issuer.reload()
})

describe("C12 a name that tries to steer", () => {
  test.each([
    ["a line of its own in a log", "ana\n2026 root logged in"],
    ["control characters of a terminal", "ana\u001b[2J"],
    ["text that runs backwards", "ana\u202emoc.elpmaxe"],
    ["nothing that is seen", "\u200b"],
    ["a space before it", " ana@example.com"],
    ["nothing", ""],
    ["too much", `${"a".repeat(257)}@example.com`],
  ])("%s is no name", async (_, email) => {
    expect(await codeOf(users.startFor({ email }))).toBe("user_token_invalid")
  })

  test.each([
    "support-orchestrator",
    "../people/bob@example.com",
    '"}, {"sub": "root',
    "<script>x</script>",
    "ignore policy",
  ])("%s is a name behind its provider's, and nothing else", async (email) => {
    const { body } = await users.startFor({ email })
    const [token] = body.tokens as { access_token: string }[]
    expect(claimsOf(token?.access_token)).toMatchObject({ sub: `people/${email}`, scope: "tickets:read" })
  })
})

test("C15 a rule that goes while a start is decided does not let the user in", async () => {
  const path = join(users.house.policyFolder, "users.yaml")
  const starting = Array.from({ length: 10 }, () => users.startFor())
  writeFileSync(path, USER_POLICY.replace("[leads, support-staff]", "[leads]"))
  const reloaded = users.house.issuer.reload()
  const codes = await Promise.all(starting.map(codeOf))
  await reloaded
  expect(codes.filter((code) => !/^(started|access_denied)$/.test(String(code)))).toEqual([])
  expect(await codeOf(users.startFor())).toBe("access_denied")
  writeFileSync(path, `${USER_POLICY}# once more\n`)
  await users.house.issuer.reload()
  expect(await codeOf(users.startFor())).toBe("started")
})

describe("E13 to E23 the token of an identity provider", () => {
  const now = () => Math.floor(users.house.clock.now() / 1000)
  const cases: [string, () => string][] = [
    ["E13 of another issuer, with this one's kid", () => users.token({ iss: "https://login.example.com/" })],
    ["E13 whose issuer is spelled otherwise", () => users.token({ iss: "HTTPS://login.example.com" })],
    ["E14 for nobody in particular", () => users.token({ aud: undefined })],
    [
      "E14 for the issuer itself, as a workload's is",
      () => users.token({ aud: "https://taskmint.internal" }),
    ],
    ["E14 for us and for somebody else", () => users.token({ aud: ["taskmint", "evil"] })],
    ["E18 that never ends", () => users.token({ exp: undefined })],
    ["E21 by an unknown key", () => users.token({}, {}, foreignSigner("other", "ES256"))],
    ["E23 whose subject is a list", () => users.token({ sub: ["248289"] })],
    ["E23 whose name is an object", () => users.token({ email: { value: "ana@example.com" } })],
    ["E23 whose times are texts", () => users.token({ iat: String(now()) })],
  ]
  test.each(cases)("%s is refused", async (_, make) => {
    expect(await codeOf(users.start({ subject_token: make() }))).toBe("user_token_invalid")
  })

  test.each([
    ["a text that holds the group", "support leads"],
    ["an object with the group in it", { support: true }],
    ["a list in a list", [["support"]]],
    ["a truth value", true],
    ["another case", ["Support"]],
    ["nothing", null],
  ])("E23 %s as the groups is in no group", async (_, groups) => {
    expect(await codeOf(users.startFor({ groups }))).toBe("access_denied")
  })

  test("E20 without a jti is used once, too", async () => {
    const subject_token = users.token({ jti: undefined })
    expect(await codeOf(users.start({ subject_token }))).toBe("started")
    expect(await codeOf(users.start({ subject_token }))).toBe("user_token_invalid")
  })
})

test("K01 a user's token rests nowhere in the database", async () => {
  const subject_token = users.token({ email: "kept.nowhere@example.com" })
  await users.start({ subject_token })
  const [head = "", body = "", tail = ""] = subject_token.split(".")
  const kept = await everythingAt(users.house.database)
  for (const part of [body, tail, subject_token])
    expect(kept.filter(([, bytes]) => bytes.includes(part)).map(([name]) => name)).toEqual([])
  expect(kept.some(([, bytes]) => bytes.includes("kept.nowhere@example.com"))).toBe(true)
  expect(head.length).toBeGreaterThan(0)
})

describe("a user's task in the hands of agents that renew and delegate", () => {
  let crew: Crew
  beforeAll(async () => {
    crew = await openCrew()
    const members = ["renew: agent", "on_behalf_of: [support-staff]"]
    const people = USER_POLICY.slice(0, USER_POLICY.indexOf("tasks:"))
    writeFileSync(join(crew.house.policyFolder, "support.yaml"), crewPolicy({ members }))
    writeFileSync(join(crew.house.policyFolder, "people.yaml"), people)
    await crew.house.issuer.reload()
  })
  afterAll(() => crew.remove())

  const nowOf = () => Math.floor(crew.house.clock.now() / 1000)
  const start = () => crew.start({ subject_token: users.token({ iat: nowOf(), exp: nowOf() + 600 }) })

  test("the user stays the subject, and nobody gets more than the user may", async () => {
    const bot = await start()
    const child = await crew.delegate(bot, "checker/pod-2")
    const renewed = await crew.renew(bot)
    for (const token of [bot.tickets, child.tickets, renewed.body.access_token])
      expect(claimsOf(token)).toMatchObject({ sub: "people/ana@example.com" })
    expect(claimsOf(child.tickets)).toMatchObject({
      act: { sub: "checker/pod-2", act: { sub: "triage-bot/pod-1" } },
    })
    expect(claimsOf(bot.tickets).scope).toBe("tickets:read tickets:comment")
  })

  test("a user whose rule is disabled ends renewing and delegating at every depth", async () => {
    const bot = await start()
    const child = await crew.delegate(bot, "checker/pod-3")
    const path = join(crew.house.policyFolder, "people.yaml")
    writeFileSync(
      path,
      readFileSync(path, "utf8").replace("{ groups: support }", "{ groups: support }, enabled: false"),
    )
    await crew.house.issuer.reload()
    expect((await crew.renew(bot)).body).toMatchObject({ error: "access_denied" })
    expect((await crew.renew(child)).body).toMatchObject({ error: "access_denied" })
    expect((await crew.delegate(bot, "checker/pod-4")).body.error).toBe("access_denied")
  })
})
