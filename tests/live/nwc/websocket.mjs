// Node 20 has no WebSocket of its own, and the SDK takes the global one when it is loaded: import this file before it.
import WebSocket from "ws";

globalThis.WebSocket ??= WebSocket;
