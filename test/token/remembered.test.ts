import { expect, test } from "vitest"
import { CURVES, pointOf } from "../../src/token/point.ts"
import { createRemembered } from "../../src/token/remembered.ts"
import { generatePrivateJwk, KeyFault, readPublicJwk } from "../../src/token/signature.ts"

test("the last that were set or asked for are remembered, and never more than twice as many", () => {
  const remembered = createRemembered<number>(10)
  for (let n = 0; n < 1000; n++) {
    remembered.set(`${n}`, n)
    expect(remembered.get("0")).toBe(0) // asked for again and again
  }
  const kept = Array.from({ length: 1000 }, (_each, n) => remembered.get(`${n}`)).filter(
    (one) => one !== undefined,
  )
  expect(remembered.get("999")).toBe(999)
  expect(kept.length).toBeGreaterThanOrEqual(9)
  expect(kept.length).toBeLessThanOrEqual(21)
})

test("a point that was read is not read again, and lets no other spelling of it pass", () => {
  const { d: _d, ...jwk } = generatePrivateJwk("ES256")
  const curve = CURVES.find(({ crv }) => crv === "P-256")
  if (!curve) throw new Error("P-256 is one of them")
  const first = pointOf(curve, { ...jwk })
  expect(first).toBeDefined()
  expect(pointOf(curve, { ...jwk })).toBe(first)
  const { x, y = "" } = jwk
  const others: object[] = [
    { x: `${x}=`, y },
    { x: `${x}.${y}`, y: "" },
    { x, y: `${y} ` },
    { x: y, y: x },
    { x: [x], y },
    { x: { toString: () => x }, y },
    { x: `${x}.${y}`, y: undefined, kty: "OKP", crv: "Ed25519", alg: "EdDSA" },
  ]
  for (const other of others) expect(readPublicJwk({ ...jwk, ...other })).toBeInstanceOf(KeyFault)
})
