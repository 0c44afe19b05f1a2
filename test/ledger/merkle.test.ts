// Leaves are hashed as RFC 6962 says, so that any client of transparency logs agrees.
import { createHash } from "node:crypto"
import { expect, test } from "vitest"
import { leafHash } from "../../src/ledger/merkle.ts"

// The first is the reference vector of RFC 6962 implementations; the others begin with the prefix of a leaf or a node.
const vectors: readonly [string, string][] = [
  ["", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"],
  ["00", "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"],
  ["10", "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7"],
  ["2021", "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7"],
]
test.each(vectors)("the leaf of %s", (bytes, expected) => {
  expect(leafHash(Buffer.from(bytes, "hex")).toString("hex")).toBe(expected)
})

test("a leaf is never the plain hash of its bytes, nor of a node", () => {
  const bytes = Buffer.from("entry")
  const plain = createHash("sha256").update(bytes).digest()
  const node = createHash("sha256")
    .update(Buffer.concat([Buffer.of(1), bytes]))
    .digest()
  expect([plain, node].some((other) => other.equals(leafHash(bytes)))).toBe(false)
})
