wrk.method = "POST"
wrk.path = "/api/l402/video"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model": "Video Generation", "prompt": "a flood"}'
