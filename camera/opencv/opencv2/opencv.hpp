// Stands in for OpenCV's opencv.hpp, which wants the headers of every module
// to be installed: these are the ones that this program uses.
#pragma once
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
