local t = {}
for i = 1, 10 do t[#t + 1] = ("%d:%s"):format(i, ("x"):rep(i)) end
table.sort(t, function(a, b) return #a > #b end)
for k, v in pairs({a = 1, b = 2}) do print(k, v, v:gsub("%d", "n")) end
return pcall(table.unpack, t), table.concat(t, ",", 2, 5), math.floor(2.5), utf8.char(228)
