// How many tokens one caller may end in a minute: each is remembered by every verifier of its API until it would have run out.
import { beforeEach, describe, expect, test } from "vitest"
import { Refusal, refuse } from "../../src/errors.ts"
import { createAdmission } from "../../src/issuer/admission.ts"
import type { Caller } from "../../src/issuer/caller.ts"
import { introspectionEndpoints, REVOCATION_PATH } from "../../src/issuer/introspection.ts"
import type { Rooms } from "../../src/issuer/rooms.ts"
import type { Introspections } from "../../src/task/introspection.ts"
import type { Revocations } from "../../src/task/revocation.ts"
import type { TaskToken } from "../../src/token/token.ts"
import { createFakeClock } from "../support/fake-clock.ts"

const MOST = 600
const clock = createFakeClock()
const REACHED = "task_conflict"
/** Every token stands but `x`; each order that is given is refused by a code of the test's own. */
const find: Introspections["find"] = async (_asker, text) =>
  text === "x" ? undefined : { active: true, token: { jti: text } as TaskToken, claims: {} }
const rooms = {
  clock,
  introspections: { find, introspect: find },
  revocations: { revoke: async () => refuse(REACHED, "[test]") } as Partial<Revocations> as Revocations,
} as Partial<Rooms> as Rooms

let ask: (times: number, clientId?: string, kind?: Caller["kind"], token?: string) => Promise<unknown>
beforeEach(() => {
  clock.advance(60_000)
  const endpoint = introspectionEndpoints(rooms).find(({ path }) => path === REVOCATION_PATH)
  const admission = createAdmission(clock)
  ask = async (times, clientId = "tickets", kind = "api", token = "tok_1") => {
    const scopes = new Set(["operator"] as const)
    const identify = async (): Promise<Caller> => ({ clientId, kind, scopes, stands: () => true })
    let last: Response | Refusal | undefined
    for (let at = 0; at < times; at++) {
      const asked = { method: "POST", body: new URLSearchParams({ token }) }
      const request = new Request(`https://taskmint.internal${REVOCATION_PATH}`, {
        ...asked,
        headers: { "content-type": "application/x-www-form-urlencoded" },
      })
      last = await endpoint?.answer(request, () => "", { identify, admission })
    }
    return last instanceof Refusal ? last.code : last?.status
  }
})

describe("tokens that are ended one by one", () => {
  test("are ended up to a number in a minute, for each caller by itself", async () => {
    expect([await ask(MOST), await ask(1)]).toEqual([REACHED, "too_many_requests"])
    expect(await ask(1, "deployments")).toBe(REACHED)
    clock.advance(60_000)
    expect(await ask(1)).toBe(REACHED)
  })

  test("are counted, and not what is no token any more", async () => {
    expect(await ask(MOST + 1, "tickets", "api", "x")).toBe(200)
    expect(await ask(1)).toBe(REACHED)
  })

  test("are ended by staff however many there are", async () => {
    expect(await ask(MOST + 1, "operations-team", "staff")).toBe(REACHED)
  })
})
