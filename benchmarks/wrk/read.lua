-- GET of our own API: versions at random. Arguments: word, models, versions of each.
dofile("summary.lua")

local requests = {}

function init(args)
  math.randomseed(os.time())
  for model = 0, args[2] - 1 do
    for version = 1, args[3] do
      requests[#requests + 1] = wrk.format("GET", string.format(
        "/api/v1/models/%s-%d/versions/%d", args[1], model, version))
    end
  end
end

function request()
  return requests[math.random(#requests)]
end
