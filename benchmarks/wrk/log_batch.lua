-- POST runs/log-batch: 1,000 points of 10 metrics, 100 steps of each, which no request repeats.
-- Arguments: run ids, which the requests take in turn.
dofile("summary.lua")

local KEYS, POINTS = 10, 1000
local headers = {["Content-Type"] = "application/json"}
local point = '{"key": "metric-%d", "value": %.6f, "timestamp": %d, "step": %d}'
local runs, count = {}, 0

function init(args)
  math.randomseed(os.time())
  runs = args
end

function request()
  count = count + 1
  local points, first = {}, count * POINTS / KEYS
  for i = 0, POINTS - 1 do
    local step = first + math.floor(i / KEYS)
    points[i + 1] = string.format(point, i % KEYS, math.random(), 1700000000000 + step, step)
  end
  local run = runs[count % #runs + 1]
  local body = string.format('{"run_id": "%s", "metrics": [%s]}', run, table.concat(points, ","))
  return wrk.format("POST", "/api/2.0/mlflow/runs/log-batch", headers, body)
end
