#ifndef EMS_HEAR_WEIGHTS_H
#define EMS_HEAR_WEIGHTS_H
enum { HEAR_HIDDEN = 1 };
static const float HEAR_MEAN[64], HEAR_SCALE[64]={1};
static const float HEAR_WEIGHT[64], HEAR_BIAS[1], HEAR_OUT[2], HEAR_OUT_BIAS[2];
#endif
