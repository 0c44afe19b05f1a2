// What may be the URL of an issuer, to which tokens are sent.
import { describe, expect, test } from "vitest"
import { readServiceUrl } from "../../src/client/address.ts"

describe("an address is taken where it may carry tokens", () => {
  test.each<[string, boolean, plainHttp?: boolean]>([
    ["https://issuer.example", true],
    ["https://issuer.example/below/", true],
    ["issuer.example", false],
    ["ftp://issuer.example", false],
    ["https://a@issuer.example", false],
    ["https://:b@issuer.example", false],
    ["https://issuer.example?a=b", false],
    ["https://issuer.example#a", false],
    ["http://localhost:8787", true],
    ["http://127.1.2.3", true],
    ["http://[::1]", true],
    ["http://127.0.0.1.evil.example", false],
    ["http://localhost.evil.example", false],
    ["http://issuer.example", false],
    ["http://issuer.example", true, true],
    ["ftp://issuer.example", false, true],
  ])("%s: %s", (text, taken, plainHttp) => {
    const read = () => readServiceUrl(text, "issuer", plainHttp)
    if (taken) expect(read().href).toContain(text)
    else expect(read).toThrow(TypeError)
  })
})
