import { defineConfig } from "drizzle-kit"

export default defineConfig({
  dialect: "postgresql",
  schema: [
    "./src/database/postgres-tables.ts",
    "./src/database/postgres-status-tables.ts",
    "./src/database/postgres-key-tables.ts",
    "./src/database/postgres-log-tables.ts",
    "./src/database/postgres-batch-tables.ts",
    "./src/database/postgres-delegation-tables.ts",
    "./src/database/postgres-alarm-tables.ts",
    "./src/database/postgres-approval-tables.ts",
    "./src/database/postgres-statement-tables.ts",
    "./src/database/postgres-rollup-tables.ts",
    "./src/database/postgres-anomaly-tables.ts",
    "./src/database/postgres-limit-tables.ts",
    "./src/database/postgres-verifier-tables.ts",
    "./src/database/postgres-catalogue-tables.ts",
    "./src/database/postgres-session-tables.ts",
  ],
  out: "./migrations/postgres",
})
