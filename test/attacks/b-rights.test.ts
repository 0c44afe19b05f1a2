// Tokens that we signed and that must not be taken all the same: catalogue B, rights, bindings, chains, unknown claims.
import { describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { parseTaskToken } from "../../src/token/token.ts"
import { judgeUse } from "../../src/token/verify.ts"
import { asJson, claims, ID, wrongMember as member, opened, RULE, signed, tagOf } from "../support/forge.ts"

const used = (changes: Record<string, unknown>, operation: string, ...resource: string[]) => {
  const answer = judgeUse(opened(signed(changes)).token, operation, resource)
  return answer instanceof Refusal ? answer.code : answer.rule
}
const detail = (changes: Record<string, unknown> = {}) => ({
  type: "task_grant",
  actions: ["tickets:read", "tickets:comment"],
  resources: ["tickets/SUP-1042"],
  rule: RULE,
  ...changes,
})

describe("operations and resources", () => {
  const wrong = [
    undefined,
    [],
    "tickets:read",
    ["*"],
    ["tickets:*"],
    [["tickets:read"]],
    ["tickets:read", "tickets:read"],
    [7],
    [null],
  ]
  const spelled = [
    ["tickets:réad"],
    ["tickets:read\u200b"],
    ["tickets.read"],
    ["Tickets:read"],
    ["tickets:read tickets:close"],
  ]
  test.each([...wrong, ...spelled])("B10 actions %j are refused", (actions) => {
    const scope = Array.isArray(actions) ? actions.join(" ") : "tickets:read"
    expect(member({ scope, authorization_details: [detail({ actions })] })).toBe(
      "claims authorization_details",
    )
  })

  test("B10 10,000 actions are too many bytes", () => {
    const actions = Array.from({ length: 10_000 }, (_, index) => `t:a${index}`)
    expect(member({ scope: actions.join(" "), authorization_details: [detail({ actions })] })).toBe(
      "size undefined",
    )
  })

  test.each([
    "tickets:READ",
    "tickets:read ",
    "tickets:rea",
    "tickets:reads",
    "tickets:*",
    "",
    "tickets:read\u200b",
  ])("B10 the operation %j is not tickets:read", (operation) => {
    expect(used({}, operation, "tickets", "SUP-1042")).toBe("operation_not_granted")
  })

  test.each([
    undefined,
    null,
    [],
    {},
    "tickets/SUP-1042",
    [""],
    ["a//b"],
    ["../b"],
    ["a/**/b"],
    [7],
    [["tickets"]],
    ["a", "a"],
  ])("B11 resources %j are refused; missing never means all", (resources) => {
    expect(member({ authorization_details: [detail({ resources })] })).toBe("claims authorization_details")
  })

  test.each([
    undefined,
    null,
    [],
    {},
    "x",
    [null],
    [[]],
    [detail({ type: "other" })],
    [detail({ type: undefined })],
  ])("B11 authorization_details %j grant nothing", (value) => {
    expect(member({ authorization_details: value })).toBe("claims authorization_details")
  })

  test.each([
    ["parameters", null],
    ["parameters", "sha-256:x"],
    ["parameters", {}],
    ["once", false],
    ["once", null],
    ["once", 1],
  ])("B11 a grant with %s %j, which bounds nothing, is refused", (name, value) => {
    expect(member({ authorization_details: [detail({ [name]: value })] })).toBe(
      "claims authorization_details",
    )
  })

  test.each(["parameters", "locations", "privileges", "conditions", "datatypes"])(
    "B11 a grant with the member %s, which narrows in a way not known here, is refused",
    (name) => {
      expect(member({ authorization_details: [detail({ [name]: true })] })).toBe(
        "claims authorization_details",
      )
    },
  )

  test("B11 no segments are no resource", () => {
    expect(used({}, "tickets:read")).toBe("segment_invalid")
  })

  const numbered = { authorization_details: [detail({ resources: ["tickets/42"] })] }
  test.each(["042", "4.2e1", "42.0", "+42", "0x2a", "4_2", "４２", "42\u200b"])("B12 %j is not 42", (id) => {
    expect(used(numbered, "tickets:read", "tickets", id)).toMatch(/^(resource_not_granted|segment_invalid)$/)
  })

  test("B12 42 is 42", () => {
    expect(used(numbered, "tickets:read", "tickets", "42")).toBe(RULE)
  })
})

describe("binding, actors and what is not known", () => {
  const jkt = "A".repeat(43)
  const confirmations = [
    null,
    {},
    "x",
    [],
    { jkt: 7 },
    { jkt: "short" },
    { jkt: `${jkt}=` },
    { "x5t#S256": jkt },
    { jwk: {} },
  ]
  test.each([...confirmations, { jkt, "x5t#S256": jkt }, { jkt, future: true }])(
    "B13 cnf %j is refused, never ignored",
    (cnf) => {
      expect(member({ cnf })).toBe("claims cnf")
    },
  )

  test("B13 cnf with exactly a thumbprint binds", () => {
    expect(opened(signed({ cnf: { jkt } })).token.jkt).toBe(jkt)
    expect(opened(signed({})).token).not.toHaveProperty("jkt")
  })

  const chain = (depth: number) => {
    let act: object = { sub: "bot/0" }
    for (let at = 1; at < depth; at += 1) act = { sub: `bot/${at}`, act }
    return act
  }
  const lineage = (count: number) => Array.from({ length: count }, (_, at) => `${ID.del.slice(0, -1)}${at}`)
  const acts = [
    null,
    [],
    "bot/1",
    {},
    { sub: "bot" },
    { sub: "/1" },
    { sub: "bot/" },
    { sub: "Bot/1" },
    { sub: 7 },
    { sub: "bot/1/2" },
  ]
  test.each([...acts, { sub: "bot/1", iss: "x" }, { sub: "bot/1", act: null }, { sub: "bot/1", act: {} }])(
    "B14 act %j is refused",
    (act) => {
      expect(member({ act })).toMatch(/^claims (act|lineage)$/)
    },
  )

  test("B14 a chain over 6 holders is refused; a size bomb never gets so far", () => {
    expect(member({ act: chain(6), lineage: lineage(5) })).toBe("accepted")
    expect(member({ act: chain(7), lineage: lineage(6) })).toBe("claims act")
    expect(member({ act: chain(9), lineage: lineage(8) })).toBe("size undefined")
    expect(member({ act: chain(500) })).toBe("size undefined")
  })

  test.each([
    ["a delegation without a delegator", chain(1), lineage(1)],
    ["a delegator without a delegation", chain(2), undefined],
    ["one delegation for two delegators", chain(3), lineage(1)],
    ["an empty lineage", chain(1), []],
    ["the same delegation twice", chain(3), [ID.del, ID.del]],
    ["an id of another kind", chain(2), [ID.task]],
  ])("B14 %s is refused", (_what, act, ids) => {
    expect(member({ act, lineage: ids })).toBe("claims lineage")
  })

  test.each([
    "crit",
    "may_act",
    "status",
    "min_policy_epoch",
    "tenant",
    "env",
    "nonce",
    "ops",
    "id_token",
    "azp",
  ])("B15 a claim %s, which nobody here understands, is refused", (name) => {
    expect(member({ [name]: "x" })).toBe(`claims ${name}`)
  })

  const scopes = [
    "tickets:read",
    "tickets:read tickets:comment tickets:close",
    "tickets:read  tickets:comment",
    " tickets:read tickets:comment",
  ]
  test.each([
    ...scopes,
    "tickets:read tickets:read",
    "tickets:read\ttickets:comment",
    ["tickets:read", "tickets:comment"],
    7,
  ])("B15 scope %j is not what the grants say", (scope) => {
    expect(member({ scope })).toBe("claims scope")
  })

  test("B15 scope may name the operations in any order", () => {
    expect(member({ scope: "tickets:comment tickets:read" })).toBe("accepted")
  })

  test.each([
    ["tenant", "a"],
    ["env", "prod"],
    ["policy_epoch", 7],
  ])("B17 B18 B19 there is no claim %s to be fooled with", (name, value) => {
    const read = parseTaskToken(asJson(claims({ [name]: value })))
    expect(tagOf(read)).toBe("claims")
  })

  test.each([undefined, null, "", "sha-256:", "sha256:x", `sha-256:${"A".repeat(42)}`, 7])(
    "B19 policy %j is no digest",
    (policy) => {
      expect(member({ policy })).toBe("claims policy")
    },
  )
})
