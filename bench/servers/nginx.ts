// nginx before an API: one process, connections kept on both sides, no log, nothing checked. Its argument is a JSON file
// with the upstream and the program. This process only waits for it to end.
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"

const { upstream, program } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))
const folder = mkdtempSync(join(tmpdir(), "bench-nginx-"))
const port = await freePort()
const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
writeFileSync(
  join(folder, "nginx.conf"),
  `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")}
  upstream api { server ${new URL(upstream).host}; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`,
)
const command = [program, "-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")]
const nginx = spawn(command[0], command.slice(1), { stdio: ["ignore", "ignore", "inherit"] })
const stop = () => nginx.kill("SIGTERM")
process.on("SIGTERM", stop)
// However the benchmark ends, this pipe of it does.
process.stdin.on("end", stop).resume()
nginx.once("exit", (code) => {
  rmSync(folder, { recursive: true, force: true })
  process.exit(code ?? 0)
})
const url = `http://127.0.0.1:${port}/tickets/SUP-1042`
while (
  !(await fetch(url).then(
    (answer) => answer.ok,
    () => false,
  ))
)
  await setTimeout(20)
console.log(JSON.stringify({ url, method: "GET", headers: {} }))

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port: free } = server.address() as AddressInfo
      server.close(() => resolve(free))
    })
  })
}
