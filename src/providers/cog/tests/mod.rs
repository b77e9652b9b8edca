mod dispatch;
mod results;
mod stub;
