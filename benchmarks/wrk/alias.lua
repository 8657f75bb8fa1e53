-- GET registered-models/alias of aliases at random. Arguments: models, aliases of each.
dofile("summary.lua")

local requests = {}

function init(args)
  math.randomseed(os.time())
  for model = 0, args[1] - 1 do
    for alias = 0, args[2] - 1 do
      requests[#requests + 1] = wrk.format("GET", string.format(
        "/api/2.0/mlflow/registered-models/alias?name=model-%d&alias=alias-%d", model, alias))
    end
  end
end

function request()
  return requests[math.random(#requests)]
end
