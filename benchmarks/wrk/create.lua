-- POST model-versions/create, each with a source and a tag of its own.
-- Arguments: models (model-0 … are taken at random), a word that makes this load's sources unique.
dofile("summary.lua")

local models, load, count = 1, "", 0
local headers = {["Content-Type"] = "application/json"}
local template = '{"name": "model-%d", "source": "s3://b/%s-%d", "tags": [{"key": "git", "value": "%s-%d"}]}'

function init(args)
  math.randomseed(os.time())
  models, load = tonumber(args[1]), args[2]
end

function request()
  count = count + 1
  local body = string.format(template, math.random(models) - 1, load, count, load, count)
  return wrk.format("POST", "/api/2.0/mlflow/model-versions/create", headers, body)
end
