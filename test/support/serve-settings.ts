// What `serve` is set to for an issuer on an example folder, at whatever port is free.
import type { ExampleFolder } from "../../src/cli/example-folder.ts"

export const serveSettings = (house: ExampleFolder) => ({
  TASKMINT_ISSUER: "https://taskmint.example",
  TASKMINT_PORT: "0",
  TASKMINT_POLICIES: house.policies,
  TASKMINT_DATABASE: `sqlite:${house.database}`,
  TASKMINT_KEY_ENCRYPTION_KEY_FILE: house.keyEncryptionKeyFile,
})
