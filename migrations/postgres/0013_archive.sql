CREATE TABLE "ledger_bundle" (
	"first" bigint PRIMARY KEY NOT NULL,
	"leaves" "bytea" NOT NULL,
	"packed" "bytea" NOT NULL,
	"digest" "bytea" NOT NULL
);
