-- Answer what there is of a codespace. Make or mark it if it is new here.
-- ARGV: 1 whether to make it, '1' or '0'; 2 an epoch if it gets one; 3 its time to live; 4 what to answer: 'standing'
--       for epoch and version alone, 'text' for the fields and the first updates that follow the text, 'all' for the
--       fields, the last updates and their number in all, and the last pushes; 5... its fields if it is made
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then
  return {'foreign', kind}
elseif kind == 'none' and ARGV[1] == '0' then
  return {'missing'}
elseif kind == 'none' then
  redis.call('HSET', KEYS[1], unpack(ARGV, 5))
end
-- A server that is full lets nothing be written that takes memory; what is there can be read all the same.
if not redis.call('HMGET', KEYS[1], 'epoch')[1] then
  -- As the API left it: whatever else is there belongs to another life of this id.
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'version', '0', 'code_version', '0', 'log_bytes', '0', 'log_bytes_of', '0')
  redis.call('HDEL', KEYS[1], 'before')
  redis.call('DEL', KEYS[2], KEYS[3])
end
keep(tonumber(ARGV[3]), true)
local found = redis.call('HMGET', KEYS[1], 'epoch', 'version', 'code_version')
local version, text_version = tonumber(found[2] or '0') or 0, tonumber(found[3] or '0') or 0
if ARGV[4] == 'standing' then
  return {'ok', {'epoch', found[1], 'version', found[2]}, {}, 0, {}}
elseif ARGV[4] == 'text' then
  return {'ok', redis.call('HGETALL', KEYS[1]), log_after(text_version, version), 0, {}}
end
local length = redis.call('XLEN', KEYS[2])
return {'ok', redis.call('HGETALL', KEYS[1]), log_before(version + 1), length, redis.call('HGETALL', KEYS[3])}
