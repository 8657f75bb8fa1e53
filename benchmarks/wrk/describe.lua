-- DescribeModelPackage of packages at random. Arguments: word, groups, versions of each, account.
dofile("summary.lua")

local requests = {}

function init(args)
  math.randomseed(os.time())
  wrk.method = "POST"
  wrk.headers["X-Amz-Target"] = "SageMaker.DescribeModelPackage"
  wrk.headers["Content-Type"] = "application/x-amz-json-1.1"
  wrk.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=AKIAANNANNANNANNANNA/20260101/us-east-1/sagemaker/aws4_request,"
    .. " SignedHeaders=host;x-amz-date, Signature=" .. string.rep("0", 64)
  for group = 0, args[2] - 1 do
    for version = 1, args[3] do
      requests[#requests + 1] = wrk.format(nil, "/", nil, string.format(
        '{"ModelPackageName": "arn:aws:sagemaker:us-east-1:%s:model-package/%s-%d/%d"}', args[4], args[1], group, version))
    end
  end
end

function request()
  return requests[math.random(#requests)]
end
