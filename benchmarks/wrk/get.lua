-- GET of the address that wrk was given.
dofile("summary.lua")
