# An API behind `taskmint guard`: it looks at no credential, only at what the sidecar says. It must be reachable through
# the sidecar alone, so it listens on loopback.
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Tickets(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        resource = self.headers["Taskmint-Resource"]  # absent in observe mode, where it was not granted
        self.answer(200, {"ticket": resource.split("/")[1] if resource else None})

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.answer(200, {"closed": self.rfile.read(length).decode()})

    def answer(self, status, content):
        content["path"] = self.path
        content["task"] = self.headers["Taskmint-Task"]
        content["agent"] = self.headers["Taskmint-Agent"]
        content["credential"] = self.headers["Authorization"]
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9000), Tickets)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
