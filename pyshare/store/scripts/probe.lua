-- Try once, on keys that are there for nothing else, every command of the other scripts; say which is not permitted.
-- ARGV: 1 milliseconds for which the keys are kept
local function try(command, ...)
  local answer = redis.pcall(command, ...)
  if type(answer) == 'table' and answer.err then
    error({command, answer.err})
  end
  return answer
end

local function every_command()
  try('DEL', KEYS[1], KEYS[2], KEYS[3])
  try('HSET', KEYS[1], 'epoch', '1')
  try('HSETNX', KEYS[1], 'version', '1')
  try('HMGET', KEYS[1], 'epoch', 'version')
  try('HGETALL', KEYS[1])
  try('HDEL', KEYS[1], 'version')
  try('HLEN', KEYS[1])
  try('XADD', KEYS[2], '1-0', 'u', '1')
  try('XLEN', KEYS[2])
  try('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
  try('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
  try('XTRIM', KEYS[2], 'MINID', '1-0')
  try('EXISTS', KEYS[1])
  try('TYPE', KEYS[1])
  try('PTTL', KEYS[1])
  try('PEXPIRE', KEYS[1], ARGV[1])
  try('PEXPIRE', KEYS[2], ARGV[1])
  try('TIME')
  try('PUBLISH', KEYS[1], '')
end

-- What is refused to the first that writes for another reason than its user is told as it is.
local first = redis.pcall('SET', KEYS[3], '1', 'PX', ARGV[1])
if first.err and (string.find(first.err, 'user executing the script') or string.find(first.err, 'ACL failure')) then
  return {'refused', 'SET', first.err}
elseif first.err then
  return first
end
local ok, failure = pcall(every_command)
if ok then
  return {'ok'}
elseif type(failure) == 'table' and failure[1] then
  return {'refused', failure[1], failure[2]}
end
return {'refused', 'pcall', tostring(failure)}
