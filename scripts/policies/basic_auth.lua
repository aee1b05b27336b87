-- For basic_auth_test.lua: alice:secret, bob:a:b.
local interim = require "interim"
local basic_auth = require "interim.scripts.basic_auth"

return {
  listen = "127.0.0.1:8080",
  upstream = "127.0.0.1:9000",
  request = basic_auth {
    users = {
      alice = "3D11dc479c08e3b368773103d64766c2e420ce39727932fcf2d8f4d9d599be59",
      bob = interim.sha256("bob:a:b"),
    },
    realm = "stage",
  },
  response = function(req, res) res.headers["x-user"] = req.ctx.user end,
}
