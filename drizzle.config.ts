import { defineConfig } from "drizzle-kit"

export default defineConfig({
  dialect: "sqlite",
  schema: [
    "./src/database/tables.ts",
    "./src/database/status-tables.ts",
    "./src/database/key-tables.ts",
    "./src/database/log-tables.ts",
    "./src/database/batch-tables.ts",
    "./src/database/delegation-tables.ts",
    "./src/database/alarm-tables.ts",
    "./src/database/approval-tables.ts",
    "./src/database/statement-tables.ts",
    "./src/database/rollup-tables.ts",
    "./src/database/anomaly-tables.ts",
    "./src/database/limit-tables.ts",
    "./src/database/verifier-tables.ts",
    "./src/database/catalogue-tables.ts",
    "./src/database/session-tables.ts",
  ],
  out: "./migrations/sqlite",
})
