// Checkpoints and keys as the C2SP texts have them: what is written others read, and what is not theirs is refused.
import { generateKeyPairSync, verify } from "node:crypto"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  NoCheckpoint,
  type NoteSigner,
  noteVerifier,
  openCheckpoint,
  readVkey,
  signCheckpoint,
} from "../../src/ledger/checkpoint.ts"
import { leafHash } from "../../src/ledger/merkle.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"

const ORIGIN = "ledger.example"
const DASH = "\u2014"

function signerOf(name: string): NoteSigner {
  const key = importSigningKey(generatePrivateJwk("EdDSA"))
  return { ...noteVerifier(name, publicHalf(key)), sign: (bytes) => key.sign(bytes) }
}

const signer = signerOf(ORIGIN)
const other = signerOf(ORIGIN)
const root = leafHash(Buffer.from("entry"))
const note = signCheckpoint({ origin: ORIGIN, size: 7, root }, [signer])
const [body = "", signature = ""] = note.split("\n\n")
const fault = (text: string, keys = [signer]) => {
  const opened = openCheckpoint(text, ORIGIN, keys)
  return opened instanceof NoCheckpoint ? opened.tag : opened
}
/** The same text signed as it stands, whatever it says. */
const resigned = (text: string, by = signer) => {
  const bytes = Buffer.concat([Buffer.from(by.id, "hex"), by.sign(Buffer.from(text))])
  return `${text}\n${DASH} ${by.name} ${bytes.toString("base64")}\n`
}

describe("a checkpoint", () => {
  test("is the three lines, signed as RFC 8032 says", () => {
    expect(body).toBe(`${ORIGIN}\n7\n${root.toString("base64")}`)
    const bytes = Buffer.from(signature.trim().split(" ")[2] ?? "", "base64")
    expect(bytes.subarray(0, 4).toString("hex")).toBe(signer.id)
    expect(verify(null, Buffer.from(`${body}\n`), signer.key.key, bytes.subarray(4))).toBe(true)
  })

  test("is read back", () => {
    expect(fault(note)).toEqual({ origin: ORIGIN, size: 7, root })
    const empty = signCheckpoint({ origin: ORIGIN, size: 0, root }, [signer])
    expect(fault(empty)).toMatchObject({ size: 0 })
  })

  test("H19: of two keys holds for who knows one of them, and falls with a wrong signature of either", () => {
    const both = signCheckpoint({ origin: ORIGIN, size: 7, root }, [signer, other])
    expect(fault(both, [signer])).toMatchObject({ size: 7 })
    expect(fault(both, [other])).toMatchObject({ size: 7 })
    const [, , , , first = "", second = ""] = both.split("\n")
    const broken = `${body}\n\n${first}\n${second.slice(0, -8)}AAAAAA==\n`
    expect(fault(broken, [signer])).toMatchObject({ size: 7 })
    expect(fault(broken, [signer, other])).toBe("signature")
  })

  test("of a stranger beside ours is read, whatever kind of key it has", () => {
    for (const length of [33, 64, 80]) {
      const strange = Buffer.concat([Buffer.of(1, 2, 3, 4), Buffer.alloc(length, 7)]).toString("base64")
      expect(fault(`${note}${DASH} witness.example ${strange}\n`)).toMatchObject({ size: 7 })
    }
  })

  test("of ours beside fifteen others is read", () => {
    expect(fault(`${note}${short.repeat(15)}`)).toMatchObject({ size: 7 })
  })

  const changed = (from: string, to: string) => `${body}\n`.replace(from, to)
  const strange = Buffer.concat([Buffer.of(1, 2, 3, 4), Buffer.alloc(64, 7)]).toString("base64")
  const renamed = `${body}\n\n${DASH} ${ORIGIN} ${strange}\n`
  const short = `${DASH} w ${Buffer.of(1, 2, 3, 4, 7).toString("base64")}\n`
  const refused: readonly [string, string, string][] = [
    ["of another log", resigned(changed(ORIGIN, "other.example")), "origin"],
    ["with a leading zero in its size", resigned(changed("\n7\n", "\n07\n")), "format"],
    ["with a sign before its size", resigned(changed("\n7\n", "\n+7\n")), "format"],
    ["with a size that no number holds", resigned(changed("\n7\n", "\n9007199254740993\n")), "format"],
    ["with a line more", resigned(`${body}\nextension\n`), "format"],
    ["with a line less", resigned(`${ORIGIN}\n7\n`), "format"],
    ["with a short hash", resigned(`${ORIGIN}\n7\n${root.subarray(1).toString("base64")}\n`), "format"],
    ["with a hash in another spelling", resigned(`${ORIGIN}\n7\n${root.toString("base64url")}\n`), "format"],
    ["with CRLF", note.replaceAll("\n", "\r\n"), "format"],
    ["without its last line feed", note.slice(0, -1), "format"],
    ["with a blank line at the end", `${note}\n`, "format"],
    ["without a signature", `${body}\n\n`, "format"],
    ["with 101 signatures", `${body}\n\n${`${signature}`.repeat(101)}`, "format"],
    ["with 17 signatures, however short", `${note}${short.repeat(16)}`, "format"],
    ["with a control character in a stranger's name", `${note}${short.replace(" w", " w\u0007")}`, "format"],
    ["with a delete in a stranger's name", `${note}${short.replace(" w", " w\u007f")}`, "format"],
    ["signed by nobody we know", resigned(`${body}\n`, other), "unsigned"],
    ["signed by our name with another key's id", renamed, "unsigned"],
    ["with a hyphen for the dash", note.replace(DASH, "-"), "format"],
    ["that is empty", "", "format"],
    ["that is very long", `${note}${"x".repeat(5000)}`, "format"],
  ]
  test.each(refused)("H08: %s is refused", (_what, text, tag) => {
    expect(fault(text)).toBe(tag)
  })

  test("H08: any byte of it changed is refused", () => {
    fc.assert(
      fc.property(fc.nat({ max: note.length - 1 }), fc.integer({ min: 1, max: 127 }), (at, by) => {
        const code = note.charCodeAt(at) ^ by
        const text = note.slice(0, at) + String.fromCharCode(code) + note.slice(at + 1)
        expect(openCheckpoint(text, ORIGIN, [signer])).toBeInstanceOf(NoCheckpoint)
      }),
    )
  })
})

describe("a vkey", () => {
  test("of the signed-note text is read", () => {
    // The example in the documentation of golang.org/x/mod/sumdb/note.
    const text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    expect(readVkey(text)).toMatchObject({ name: "PeterNeumann", id: "c74f20a3", vkey: text })
  })

  test("of ours is read back", () => {
    expect(readVkey(signer.vkey)).toMatchObject({ name: ORIGIN, id: signer.id })
  })

  const [, id = "", point = ""] = signer.vkey.split("+")
  test.each([
    "",
    "a+b",
    `${ORIGIN}+00000000+${point}`,
    `other+${id}+${point}`,
    `${ORIGIN}+${id}+${point.slice(0, -4)}`,
    `${ORIGIN}+${id}+${point}=`,
    `${ORIGIN}+${id}+Ag${point.slice(2)}`,
    `${ORIGIN} +${id}+${point}`,
  ])("%s is none", (text) => {
    expect(readVkey(text)).toBeUndefined()
  })

  test("of no Ed25519 key is never made", () => {
    const key = publicHalf(importSigningKey(generatePrivateJwk("ES256")))
    expect(() => noteVerifier(ORIGIN, key)).toThrow(TypeError)
    expect(() => noteVerifier("a b", signer.key)).toThrow(TypeError)
    expect(generateKeyPairSync("ed25519").publicKey.asymmetricKeyType).toBe("ed25519")
  })
})
