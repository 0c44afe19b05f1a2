import { randomBytes } from "node:crypto"
import { describe, expect, test } from "vitest"
import { createWrapping } from "../../src/keys/wrapping.ts"

const key = randomBytes(32)
const secret = Buffer.from("a private key")

describe("a wrapped secret", () => {
  test("opens with its key, name and purpose, and never looks the same twice", () => {
    const wrapping = createWrapping(key)
    const sealed = wrapping.seal(secret, "kid-1", "signing-key")
    expect(Buffer.from(wrapping.open(sealed, "kid-1", "signing-key") ?? [])).toEqual(secret)
    expect(wrapping.seal(secret, "kid-1", "signing-key")).not.toEqual(sealed)
    expect(Buffer.from(sealed).includes(secret)).toBe(false)
  })

  test.each([
    ["another key", () => createWrapping(randomBytes(32)), "kid-1", "signing-key"],
    ["another name", () => createWrapping(key), "kid-2", "signing-key"],
    ["another purpose", () => createWrapping(key), "kid-1", "ledger-key"],
    ["name and purpose swapped", () => createWrapping(key), "signing-key", "kid-1"],
  ])("does not open with %s", (_what, wrapping, name, purpose) => {
    const sealed = createWrapping(key).seal(secret, "kid-1", "signing-key")
    expect(wrapping().open(sealed, name, purpose)).toBeUndefined()
  })

  test("does not open once any byte was changed, cut or added", () => {
    const wrapping = createWrapping(key)
    const sealed = wrapping.seal(secret, "kid-1", "signing-key")
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Uint8Array.from(sealed)
      changed.set([(sealed[at] ?? 0) ^ 1], at)
      expect(wrapping.open(changed, "kid-1", "signing-key"), `byte ${at}`).toBeUndefined()
      expect(wrapping.open(sealed.subarray(0, at), "kid-1", "signing-key"), `cut at ${at}`).toBeUndefined()
    }
    expect(wrapping.open(Buffer.concat([sealed, Uint8Array.of(0)]), "kid-1", "signing-key")).toBeUndefined()
  })

  test.each([0, 16, 31, 33, 64])("is never made with a key of %i bytes", (length) => {
    expect(() => createWrapping(randomBytes(length))).toThrow(TypeError)
  })
})
