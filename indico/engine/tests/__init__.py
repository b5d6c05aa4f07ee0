"""The tests of the engine: real sockets, a real MongoDB, each test with a database of its own."""
