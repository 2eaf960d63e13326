"""Trains DefaultX's model packages: CSV rows -> applications -> features -> a calibrated model -> ONNX and its package."""
