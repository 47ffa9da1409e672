local function f(...) return select("#", ...) end goto a ::a:: return f(table.unpack({1,2,3}))
