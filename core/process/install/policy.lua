-- The policy of the service `interim`: where it listens, where requests go, and what it decides.
-- The reference is interim-policy(5), and at length /usr/share/doc/interim/policy.md.
--
--   interim check /etc/interim/policy.lua     says whether it is good
--   systemctl reload interim                  takes it over; a policy that is wrong changes nothing
--
-- As it stands it can be reached from this machine only, and asks for nothing.

return {
  listen   = "127.0.0.1:8080",        -- "8080" means all addresses; a list is possible
  upstream = "127.0.0.1:9000",        -- your origin server

  -- Several origins, by name, with several addresses each:
  --
  --   upstreams = { app = { "127.0.0.1:9000", "127.0.0.1:9001" }, uploads = "127.0.0.1:9100" },
  --   upstream  = "app",

  -- How long to wait for what; these are the defaults.
  --
  --   timeouts = { connect = 15, response = 100, processing = 100 },

  -- What stands in front of this proxy, if anything does: only then are its X-Forwarded-* believed.
  --
  --   trusted_proxies = { "10.0.0.0/8" },

  -- Who may upload, and how much, decided before a byte of the upload is sent:
  --
  --   request = require "interim.scripts.upload_gate" { tokens = "s3cret", max_size = 50e6 },

  -- Which sites may open a WebSocket here. Without this, any may, and your origin must check:
  --
  --   upgrade = require "interim.scripts.websocket_origins" { origins = "https://app.example" },
}
