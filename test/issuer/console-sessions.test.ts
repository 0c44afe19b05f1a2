// Sessions at the console: how long they stand, that a policy ends them, that the database can't open one, and that they hold
// over restarts and in every process on the same database.
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { sql } from "drizzle-orm"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { statement } from "../../src/database/database.ts"
import type { Refusal } from "../../src/errors.ts"
import { seeSession, sessionByDigest } from "../../src/issuer/console/session-statements.ts"
import { createSessions, SESSION_SECONDS, type Sessions } from "../../src/issuer/console/sessions.ts"
import { claimsAskedFor, entriesOf } from "../../src/issuer/console/staff.ts"
import { callerAs, isFresh } from "../../src/issuer/console/visitor.ts"
import { toEpochSeconds } from "../../src/time.ts"
import { everythingAt } from "../support/engine.ts"
import { createWorld, type World } from "../support/world.ts"

const PEOPLE = "https://login.example.com"
const LEADS = `  leads: { roles: [approver], authenticate: [{ openid: { provider: people, claims: { groups: leads } } }] }\n`
const WATCH = `  watchers: { roles: [auditor, operator], authenticate: [{ openid: { provider: people, claims: { groups: security } } }] }\n`
const policyOf = (staff: string, issuer = PEOPLE) => `version: 1
identity_providers:
  people: { issuer: "${issuer}", jwks_uri: "${issuer}/keys", audience: taskmint }
staff:
${staff}  others: { roles: [auditor] }
`
const claims = { groups: ["everybody", "leads", "security"] }

const people = statement<{ person: string }>("people", sql`SELECT person FROM console_session`)

let world: World
let sessions: Sessions
beforeAll(async () => {
  world = await createWorld({ files: { "people.yaml": policyOf(LEADS + WATCH) } })
  sessions = createSessions(world)
})
afterAll(async () => {
  await world.leave()
})

const showing = (id: string, more = "") =>
  new Request("https://taskmint.internal/console", { headers: { cookie: `${more}__Host-taskmint=${id}` } })
const now = () => toEpochSeconds(world.clock.now())

async function tryToBegin(
  changes: Partial<Parameters<Sessions["begin"]>[0]> = {},
): Promise<string | Refusal> {
  const identity = { provider: "people", issuer: PEOPLE, claims }
  const entries = entriesOf(world.policies.inForce(), identity)
  const how = { by: "openid", provider: "people" }
  return sessions.begin({ person: "people/lea", identity, entries, signedInAt: now(), how, ...changes })
}

async function begin(...given: Parameters<typeof tryToBegin>): Promise<string> {
  const id = await tryToBegin(...given)
  if (typeof id === "string") return id
  throw new Error(id.code)
}

/** A policy that was superseded does not come back by itself, so each is another one. */
let changes = 0
async function change(text: string) {
  changes += 1
  writeFileSync(join(world.policyFolder, "people.yaml"), `${text}# ${changes}\n`)
  expect(await world.policies.reload()).toBe("loaded")
}

describe("a session", () => {
  test("makes its visitor all that the policy says they are, under a name for each", async () => {
    const visitor = await sessions.of(showing(await begin()))
    expect(visitor).toMatchObject({
      name: "people/lea",
      signedInAt: now(),
      entries: ["leads", "watchers"],
      caller: { clientId: "leads", kind: "staff", person: "people/lea" },
    })
    expect([...(visitor?.caller.scopes ?? [])].sort()).toEqual(["approver", "auditor", "operator"])
    if (!visitor) return
    expect(callerAs(visitor, ["others", "watchers"]).clientId).toBe("watchers")
    expect(callerAs(visitor, ["others"]).clientId).toBe("leads")
    expect([isFresh(visitor, now() + 899), isFresh(visitor, now() + 900)]).toEqual([true, false])
  })

  test("K10 stands for 15 minutes without a request, and after each request anew", async () => {
    const id = await begin()
    for (let round = 0; round < 4; round++) {
      world.clock.advance(839_000)
      expect(await sessions.of(showing(id))).toBeDefined()
    }
    world.clock.advance(59_000)
    expect(await sessions.of(showing(id))).toBeDefined()
    world.clock.advance(841_000)
    expect(await sessions.of(showing(id))).toBeUndefined()
  })

  test("K10 is over where it was seen by a clock that has been set back since", async () => {
    const id = await begin()
    const digest = createHash("sha256").update(id).digest()
    const seen = async (milliseconds: number) => {
      const at = world.clock.now() + milliseconds
      await world.engine.atomically([{ statement: seeSession, values: { digest, now: at } }])
      return sessions.of(showing(id))
    }
    expect(await seen(899_000)).toBeDefined()
    expect(await seen(900_000)).toBeUndefined()
  })

  test("K10 is not older for a request that was slower to be recorded than a later one", async () => {
    const id = await begin()
    const digest = sessions.digestIn(showing(id)) ?? null
    const seenAt = async () =>
      (await world.engine.query(sessionByDigest, { digest, now: world.ledger.at() }))[0]?.seen_at
    const before = (await seenAt()) ?? 0
    for (const now of [before + 70_000, before + 65_000])
      await world.engine.atomically([{ statement: seeSession, values: { digest, now } }])
    expect(await seenAt()).toBe(before + 70_000)
  })

  test("K10 ends eight hours after the person showed who they are, however busy", async () => {
    const id = await begin({ signedInAt: now() - 3600 })
    for (let minute = 0; minute < 7 * 60 - 10; minute += 10) {
      world.clock.advance(600_000)
      expect(await sessions.of(showing(id))).toBeDefined()
    }
    world.clock.advance(599_000)
    const visitor = await sessions.of(showing(id))
    expect(visitor?.caller.stands()).toBe(true)
    world.clock.advance(1_000)
    expect(visitor?.caller.stands()).toBe(false)
    expect(await sessions.of(showing(id))).toBeUndefined()
  })

  test("holds after a restart, and in another process on the same database", async () => {
    const id = await begin()
    expect(await createSessions(world).of(showing(id))).toBeDefined()
    await world.close()
    const { folder, keyEncryptionKey, clock } = world
    world = await createWorld({ folder, keyEncryptionKey, clock })
    sessions = createSessions(world)
    expect(await sessions.of(showing(id))).toMatchObject({ name: "people/lea" })
  })

  test("K10 is kept by its hash: the id is nowhere in the database", async () => {
    const id = await begin()
    expect(sessions.digestIn(showing(id))).toEqual(createHash("sha256").update(id).digest())
    for (const [name, bytes] of await everythingAt(world.place))
      expect([name, bytes.includes(id), bytes.includes(Buffer.from(id, "base64url"))]).toEqual([
        name,
        false,
        false,
      ])
  })

  test("keeps no claim that no rule asks for", () => {
    const shown = { ...claims, email: "lea@example.com", address: { locality: "Bern" } }
    expect(claimsAskedFor(world.policies.inForce(), "people", shown)).toEqual(claims)
    expect(claimsAskedFor(world.policies.inForce(), "others", shown)).toEqual({})
  })
})

describe("at the next request", () => {
  test.each([
    ["an entry that is gone takes its roles along", policyOf(LEADS), ["approver"]],
    ["somebody whom no entry fits is out", policyOf(""), undefined],
    [
      "a rule that changed is the one that counts",
      policyOf(LEADS.replace("groups: leads", "groups: chiefs")),
      undefined,
    ],
    [
      "an entry that is disabled is none",
      policyOf(LEADS.replace("{ roles", "{ enabled: false, roles")),
      undefined,
    ],
    [
      "a provider that is disabled vouches for nobody",
      policyOf(LEADS).replace("audience: taskmint", "audience: taskmint, enabled: false"),
      undefined,
    ],
    [
      "another issuer under the provider's name is another's word",
      policyOf(LEADS, "https://other.example.com"),
      undefined,
    ],
  ])("%s", async (_what, text, roles) => {
    const id = await begin()
    const before = await sessions.of(showing(id))
    await change(text)
    const visitor = await sessions.of(showing(id))
    expect(visitor && [...visitor.caller.scopes]).toEqual(roles)
    expect(before?.caller.stands()).toBe(false)
    await change(policyOf(LEADS + WATCH))
    expect((await sessions.of(showing(id)))?.entries).toEqual(["leads", "watchers"])
  })
})

test("what one provider says of somebody fits no rule for people of another", async () => {
  const issuer = "https://partners.example.com"
  const partners = `  partners: { issuer: "${issuer}", jwks_uri: "${issuer}/keys", audience: taskmint }\n`
  await change(policyOf(LEADS + WATCH).replace("staff:\n", `${partners}staff:\n`))
  expect(entriesOf(world.policies.inForce(), { provider: "partners", issuer, claims })).toEqual([])
  await change(policyOf(LEADS + WATCH))
})

test("a lock on a person ends their sessions and lets none begin until it is lifted; nobody else's", async () => {
  const person = "people/kim@example.com"
  const [id, other] = [await begin({ person }), await begin()]
  const asked = { kind: "subject", value: person, reason: "left" } as const
  const lock = await world.revocations.revoke("operations-team", asked)
  expect(await sessions.of(showing(id))).toBeUndefined()
  expect(await sessions.of(showing(other))).toBeDefined()
  expect(await tryToBegin({ person })).toMatchObject({ code: "locked" })
  world.clock.advance(1000)
  expect("id" in lock && (await world.revocations.lift("operations-team", lock.id))).toHaveProperty(
    "liftedAt",
  )
  expect(await sessions.of(showing(id))).toBeDefined()
  expect(await tryToBegin({ person })).toMatch(/^[\w-]{43}$/)
})

describe("the end of a session", () => {
  test("by whoever has it is told once, also when it is asked for twice at once", async () => {
    const id = await begin()
    await Promise.all([sessions.leave(showing(id)), sessions.leave(showing(id))])
    await sessions.leave(showing(id))
    expect(await sessions.of(showing(id))).toBeUndefined()
    const { entries } = await world.ledger.read({ kind: "client.left" })
    expect(entries).toMatchObject([
      { sub: "people/lea", body: { client: "leads", at: "console", by: "sign_out" } },
    ])
  })

  test("everywhere, by whoever has one, ends all of the same person, and nobody else's", async () => {
    const person = "people/kay"
    const [here, there, other] = [await begin({ person }), await begin({ person }), await begin()]
    await sessions.leave(showing("A".repeat(43)), true)
    await sessions.leave(showing(here), true)
    for (const id of [here, there]) expect(await sessions.of(showing(id))).toBeUndefined()
    expect(await sessions.of(showing(other))).toBeDefined()
    const { entries } = await world.ledger.read({ kind: "client.left" })
    expect(entries.filter(({ sub }) => sub === person)).toMatchObject([
      { body: { by: "sign_out_everywhere" } },
    ])
  })

  test("K10 comes with a new one in the same browser, and for the eleventh of a person to the one seen longest ago", async () => {
    const person = "people/lou"
    const first = await begin({ person })
    const second = await begin({ person, replaces: sessions.digestIn(showing(first)) })
    expect(second).not.toBe(first)
    expect(await sessions.of(showing(first))).toBeUndefined()
    for (let more = 0; more < 9; more++) {
      world.clock.advance(1000)
      await begin({ person })
    }
    expect(await sessions.of(showing(second))).toBeDefined()
    await begin({ person: "people/ana" })
    expect(await sessions.of(showing(second))).toBeDefined()
    await begin({ person })
    expect(await sessions.of(showing(second))).toBeUndefined()
  })

  test("leaves no row once it is over, idle or old", async () => {
    await begin()
    const kept = await begin({ person: "people/ana" })
    world.clock.advance(600_000)
    await sessions.of(showing(kept))
    world.clock.advance(300_000)
    await sessions.prune()
    expect(await world.engine.query(people)).toEqual([{ person: "people/ana" }])
    await begin({ signedInAt: now() - SESSION_SECONDS })
    await sessions.prune()
    expect(await world.engine.query(people)).toEqual([{ person: "people/ana" }])
    expect(await sessions.of(showing(kept))).toBeDefined()
  })
})

test("what is no session id opens nothing, nor do two of them", async () => {
  const id = await begin()
  for (const other of ["", "x", `${id}A`, id.slice(1), `${id} x`, "A".repeat(43), `"${id}"`])
    expect(await sessions.of(showing(other))).toBeUndefined()
  expect(await sessions.of(showing(id, `__Host-taskmint=${id}; `))).toBeUndefined()
  expect(await sessions.of(showing(id, "other=1; "))).toBeDefined()
})
