"""ffmpeg: what a file is (probe), and making it what a model accepts (clips, stills)."""
