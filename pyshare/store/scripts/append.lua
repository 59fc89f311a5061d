-- Commit updates if the log has the version that is expected, else answer what was missed.
-- ARGV: 1 epoch; 2 expected version; 3 time to live; 4 updates that the log keeps; 5 senders that are remembered;
--       6 what to publish; 7 whether there is a text, '1' or '0'; 8 the text; 9 who appends; 10 the milliseconds for
--       which the next append is to be theirs if this one does nothing, or 0; 11 bytes that the log keeps;
--       12 number of updates; then the updates; then sender and number of each one's last push
local version, text_version, turn, log_bytes = find(ARGV[1])
if version == nil then
  return {text_version}
end
-- What cannot be written to is found before anything is written.
local logged = redis.call('XLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
local whose, until_ms = string.match(turn or '', '^(%S+) (%d+)$')
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
-- No turn is as long as ten seconds: one that seems so is of a clock that went back.
local left_ms = tonumber(until_ms or '0') - now_ms
local others_turn = whose and whose ~= ARGV[9] and left_ms > 0 and left_ms < 10000
if version ~= tonumber(ARGV[2]) then
  if ARGV[10] ~= '0' and not others_turn then
    redis.call('HSET', KEYS[1], 'turn', ARGV[9] .. ' ' .. string.format('%.0f', now_ms + ARGV[10]))
  end
  return {'conflict', version, log_after(tonumber(ARGV[2]), version)}
elseif others_turn then
  return {'conflict', version, {}}
elseif whose then
  redis.call('HDEL', KEYS[1], 'turn')
end
-- A log that is empty has no bytes, whatever the sum says: the server may have evicted the log and kept the sum.
local bytes = logged == 0 and 0 or measure_log(log_bytes)
local before, count = version, tonumber(ARGV[12])
local added
version, added = extend_log(version, 13, count)
if ARGV[7] == '1' then
  text_version = version
  redis.call('HSET', KEYS[1], 'code_version', version, 'code', ARGV[8])
end
-- These updates stay, however many they are: an append whose answer is lost is looked for in the log.
bytes = trim_log(math.min(before, text_version), tonumber(ARGV[4]), bytes + added, tonumber(ARGV[11]))
redis.call('HSET', KEYS[1], 'version', version, 'log_bytes', string.format('%.0f', bytes), 'log_bytes_of', version)
for index = 13 + count, #ARGV, 2 do
  -- The last number of a sender never goes back.
  local known = redis.call('HMGET', KEYS[3], ARGV[index])[1]
  local seq = math.max(tonumber(ARGV[index + 1]), tonumber(string.match(known or '0', '^%d+')))
  redis.call('HSET', KEYS[3], ARGV[index], string.format('%.0f %.0f', seq, version))
end
local limit = tonumber(ARGV[5])
if redis.call('HLEN', KEYS[3]) > limit + limit / 2 + 16 then
  -- Seldom, so that sorting costs little for each append.
  local last = {}
  local all = redis.call('HGETALL', KEYS[3])
  for index = 1, #all, 2 do
    last[#last + 1] = {all[index], tonumber(string.match(all[index + 1], ' (%d+)$'))}
  end
  table.sort(last, function(one, other) return one[2] < other[2] end)
  for index = 1, #last - limit do
    redis.call('HDEL', KEYS[3], last[index][1])
  end
end
keep(tonumber(ARGV[3]))
redis.call('PUBLISH', KEYS[1], ARGV[6])
return {'ok', version}
