-- POST registered-models/alias: `long` of model-0 goes from version to version. Argument: versions.
dofile("summary.lua")

local versions, count = 1, 0
local headers = {["Content-Type"] = "application/json"}
local template = '{"name": "model-0", "alias": "long", "version": "%d"}'

function init(args)
  versions = tonumber(args[1])
end

function request()
  count = count + 1
  local body = string.format(template, count % versions + 1)
  return wrk.format("POST", "/api/2.0/mlflow/registered-models/alias", headers, body)
end
