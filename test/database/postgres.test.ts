// The contract of an engine on PostgreSQL, and what only a server has: settings to be refused, a lease, a version.
import { describe } from "vitest"
import { openPostgres } from "../../src/database/postgres.ts"
import { createDatabase } from "../support/postgres.ts"
import { engineContract } from "./engine.contract.ts"

describe("the contract, on PostgreSQL", () => {
  engineContract(async () => {
    const { address, remove } = await createDatabase()
    return { open: () => openPostgres({ address }), remove }
  })
})
